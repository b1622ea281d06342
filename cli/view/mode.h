/* SPDX-License-Identifier: MIT */
#ifndef IDEMSHIM_CLI_MODE_H
#define IDEMSHIM_CLI_MODE_H

#include "config/config.h"

/* "idempotent", as IDEMSHIM_MODE has it. */
const char *cli_mode_name(enum idem_mode mode);

#endif
