/* SPDX-License-Identifier: MIT */
/*
 * An exchange as an entry of a HAR 1.2 archive (http://www.softwareishard.com/blog/har-12-spec/), which browsers and many
 * tools open. What HAR has no place for is in members that begin with _.
 */
#ifndef IDEMSHIM_CLI_TAPE_HAR_H
#define IDEMSHIM_CLI_TAPE_HAR_H

#include "tape/tape.h"

#include <stdio.h>

void cli_har_entry(FILE *out, const struct tape_record *record);

#endif
