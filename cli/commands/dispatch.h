/* SPDX-License-Identifier: MIT */
/*
 * From a word of the command line to the row of a table, and from there to its run. `idemshim` has one
 * such table, and so has each command that has commands of its own:
 *
 *     const struct cli_commands cli_commands = {rows, sizeof(rows) / sizeof(*rows), ""};
 *     return cli_commands_run(&cli_commands, argc - 1, argv + 1);
 *
 * What a row works on, a store or a tape, is opened here and closed after it.
 */
#ifndef IDEMSHIM_CLI_DISPATCH_H
#define IDEMSHIM_CLI_DISPATCH_H

#include "cli/command/command.h"

#include <stdio.h>

/* From a word to a row: `idemshim` has such a table, and so has each command that has commands of its own. */
struct cli_commands {
  const struct cli_command *const *row;
  size_t count;
  const char *of; /* "" or "tape ": what stands before the word */
};

/* Runs the command whose name ends in the word argv[0]: parses its options, prints its help, or says what is
 * wrong with them; a word that is no command is refused with the one that was perhaps meant. */
int cli_commands_run(const struct cli_commands *commands, int argc, char **argv);

/* Prints the help of the command that the words name, "ls" or "tape", "ls", ended by a NULL; or
 * refuses them likewise. */
int cli_commands_help(const struct cli_commands *commands, char **words);

/* "ls" of "tape ls". */
const char *cli_command_word(const struct cli_command *command);

/* "  ls      list ..." for each. */
void cli_commands_list(const struct cli_commands *commands, FILE *out);

#endif
