/* SPDX-License-Identifier: MIT */
/* The command's table of commands, and what it says without one. */
#include "cli/commands/dispatch.h"
#include "cli/output/text.h"

#include <errno.h>
#include <string.h>

/* In the order of the overview: what runs programs, what asks, what looks after the store. */
static const struct cli_command *const rows[] = {
    &cli_command_run,   &cli_command_record, &cli_command_replay, &cli_command_check,   &cli_command_doctor,
    &cli_command_stats, &cli_command_ls,     &cli_command_show,   &cli_command_explain, &cli_command_rm,
    &cli_command_gc,    &cli_command_verify, &cli_command_tape,
};

static const struct cli_commands commands = {rows, sizeof(rows) / sizeof(*rows), ""};

/* To standard output if it was asked for, to standard error if something else should have been. */
static int print_overview(FILE *out, int code)
{
  fputs("usage: idemshim COMMAND [options] [operands]\n\n"
        "A finished LLM call is never paid for twice: runs programs that use libcurl, and looks after the\n"
        "answers that they share.\n\ncommands:\n",
        out);
  cli_commands_list(&commands, out);
  fputs("\nidemshim COMMAND --help has the options of each; so has idemshim(1).\n"
        "exit codes: 0 ok, 1 not found or a negative finding, 2 usage or configuration, 3 the store cannot "
        "be used, or a program not be read\n",
        out);
  return code;
}

/* Words that are no commands first. */
static int dispatch(int argc, char **argv)
{
  const char *word = argv[1];
  if (argc < 2)
    return print_overview(stderr, CLI_USAGE);
  if (strcmp(word, "--version") == 0) {
    puts("idemshim " IDEM_VERSION);
    return CLI_OK;
  }
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
    return print_overview(stdout, CLI_OK);
  if (strcmp(word, "help") == 0)
    return argv[2] ? cli_commands_help(&commands, argv[2]) : print_overview(stdout, CLI_OK);
  return cli_commands_run(&commands, argc - 1, argv + 1);
}

/* A full disk behind a redirection shows here at the latest; a script must not take half an output for all of
 * it. */
int main(int argc, char **argv)
{
  cli_text_init();
  int code = dispatch(argc, argv);
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout))
    return code;
  return cli_fail(CLI_STORE, "the output cannot be written: %s; it is not complete", strerror(errno));
}
