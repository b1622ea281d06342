/* SPDX-License-Identifier: MIT */
/* `help`: the overview, or what `COMMAND --help` says, also of a command of commands: `help tape ls`. */
#include "cli/commands/table.h"

void cli_overview(FILE *out)
{
  fputs("usage: idemshim COMMAND [options] [operands]\n\n"
        "A finished LLM call is never paid for twice: runs programs that use libcurl, and looks after the\n"
        "answers that they share.\n\ncommands:\n",
        out);
  cli_commands_list(&cli_commands, out);
  fputs("\nidemshim COMMAND --help has the options of each; so has idemshim(1).\n"
        "exit codes: 0 ok, 1 not found or a negative finding, 2 usage or configuration, 3 the store cannot "
        "be used, or a program not be read\n",
        out);
}

/* A mistake in the operand is a mistake of the command line itself, and named as such. */
static int help(const struct cli_options *options, int argc, char **argv)
{
  (void)options;
  cli_message_command(NULL);
  if (argc > 0)
    return cli_commands_help(&cli_commands, argv);
  cli_overview(stdout);
  return CLI_OK;
}

const struct cli_command cli_command_help = {
    .name = "help",
    .operands = "[COMMAND [COMMAND]]",
    .summary = "list the commands, or explain one",
    .options = &(const struct cli_option){0},
    .max_operands = 2,
    .run = help,
};
