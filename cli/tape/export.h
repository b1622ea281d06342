/* SPDX-License-Identifier: MIT */
/*
 * Formats that a tape is written in for the tools of others. Each writes entry by entry, so that a tape of
 * any length fits, and returns an enum cli_exit: CLI_NO if an exchange could not be read.
 */
#ifndef IDEMSHIM_CLI_EXPORT_H
#define IDEMSHIM_CLI_EXPORT_H

#include "cli/tape/tape.h"

#include <stdio.h>

int cli_write_har(const struct tape *tape, FILE *out);
int cli_write_otlp(const struct tape *tape, FILE *out);

#endif
