/* SPDX-License-Identifier: MIT */
/* The command line's first word, and what is said without one. */
#include "cli/commands/table.h"
#include "cli/output/text.h"

#include <errno.h>
#include <string.h>

/* Words that are no commands first. The overview goes to standard output if it was asked for, to standard
 * error if something else should have been. */
static int dispatch(int argc, char **argv)
{
  const char *word = argv[1];
  if (argc < 2) {
    cli_overview(stderr);
    return CLI_USAGE;
  }
  if (strcmp(word, "--version") == 0) {
    puts("idemshim " IDEM_VERSION);
    return CLI_OK;
  }
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
    cli_overview(stdout);
    return CLI_OK;
  }
  return cli_commands_run(&cli_commands, argc - 1, argv + 1);
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
