/* SPDX-License-Identifier: MIT */
/*
 * What can be configured but has not been built yet. It is parsed and checked all the same, so a person has
 * to be told.
 */
#ifndef IDEMSHIM_CLI_IN_FORCE_H
#define IDEMSHIM_CLI_IN_FORCE_H

#include "config/config.h"

#include <stdbool.h>

const char *cli_mode_name(enum idem_mode mode);

/* Tells `say` of each variable and rule field that was set and has no effect yet, as
 * "rule 2 of IDEMSHIM_RULES: guard=on". */
void cli_not_in_force(const struct idem_config *config, void (*say)(void *arg, const char *what), void *arg);

#endif
