/* SPDX-License-Identifier: MIT */
/*
 * Options from a command's table, by getopt_long.
 */
#ifndef IDEMSHIM_CLI_OPTIONS_H
#define IDEMSHIM_CLI_OPTIONS_H

#include "cli/command/command.h"

#include <stdio.h>

enum cli_parsed {
  CLI_PARSED,
  CLI_PARSED_HELP,  /* help or -h was among them */
  CLI_PARSED_WRONG, /* said on standard error */
};

/* Reads argv[1..] into `options` and sets *first to the index of the first operand; operands are moved to the
 * end of argv, and their number is checked. argv[0] is the command's name. */
enum cli_parsed cli_options_parse(const struct cli_command *command, int argc, char **argv,
                                  struct cli_options *options, int *first);

/* "usage: idemshim ls [--json] ...", the options with their help, and the details. */
void cli_options_help(const struct cli_command *command, FILE *out);

#endif
