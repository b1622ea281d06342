/* SPDX-License-Identifier: MIT */
/*
 * Every command of `idemshim`, for what goes over them: the dispatch, the help, the completions. A command of
 * commands (`tape`) has a table of its own in its row.
 *
 *     return cli_commands_run(&cli_commands, argc - 1, argv + 1);
 */
#ifndef IDEMSHIM_CLI_TABLE_H
#define IDEMSHIM_CLI_TABLE_H

#include "cli/commands/dispatch.h"

extern const struct cli_commands cli_commands;

/* The overview: what there is, and the exit codes. */
void cli_overview(FILE *out);

#endif
