/* SPDX-License-Identifier: MIT */
/*
 * `run` in mode observe: the program is a child, and at its end the counters of the store tell what of the
 * run would have been answered.
 *
 *     return cli_observes() ? cli_observe_run(argv) : cli_launch(argv, NULL);
 */
#ifndef IDEMSHIM_CLI_OBSERVE_H
#define IDEMSHIM_CLI_OBSERVE_H

#include <stdbool.h>

/* True if the variables and files that are set now say so, and nobody has asked for
 * silence (IDEMSHIM_SUMMARY). */
bool cli_observes(void);

/* Runs it and ends as it does; the code to exit with, if nothing was started. */
int cli_observe_run(char **argv);

#endif
