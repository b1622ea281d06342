/* SPDX-License-Identifier: MIT */
/*
 * From a word of the command line to the row of a table, and from there to its run. `idemshim` has one such
 * table, and so has each command that has commands of its own.
 */
#ifndef IDEMSHIM_CLI_DISPATCH_H
#define IDEMSHIM_CLI_DISPATCH_H

#include "cli/command/command.h"

#include <stdio.h>

struct cli_commands {
  const struct cli_command *const *row;
  size_t count;
  const char *of; /* "" or "tape ": what stands before the word */
};

/* The row that is called so, by its last word; NULL if there is none. */
const struct cli_command *cli_find_command(const struct cli_commands *commands, const char *word);

/* Says that there is none, and which one was perhaps meant. Returns the code to exit with. */
int cli_unknown_command(const struct cli_commands *commands, const char *word);

/* Parses the options and runs the command, or prints its help. argv[0] is its name. */
int cli_run_command(const struct cli_command *command, int argc, char **argv);

/* "  ls      list ..." for each. */
void cli_list_commands(const struct cli_commands *commands, FILE *out);

#endif
