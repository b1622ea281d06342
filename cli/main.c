/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/text.h"
#include "config/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct cli_command *const commands[] = {
    &cli_command_run,  &cli_command_check,   &cli_command_doctor, &cli_command_stats, &cli_command_ls,
    &cli_command_show, &cli_command_explain, &cli_command_rm,     &cli_command_gc,    &cli_command_verify,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct cli_command *find(const char *name)
{
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    if (strcmp(commands[i]->name, name) == 0)
      return commands[i];
  return NULL;
}

static int print_overview(FILE *out, int code)
{
  fputs("usage: idemshim COMMAND [options] [operands]\n\n"
        "A finished LLM call is never paid for twice: runs programs that use libcurl, and looks after the\n"
        "answers that they share.\n\ncommands:\n",
        out);
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    fprintf(out, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
  fputs("\nidemshim COMMAND --help has the options of each; so has idemshim(1).\n"
        "exit codes: 0 ok, 1 not found or a negative finding, 2 usage or configuration, 3 the store cannot "
        "be used, or a program not be read\n",
        out);
  return code;
}

static int unknown(const char *name)
{
  const char *words[COMMAND_COUNT + 1] = {NULL};
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    words[i] = commands[i]->name;
  const char *hint = IDEM_SUGGEST(words, name, strlen(name));
  return cli_fail(CLI_USAGE, "unknown command \"%s\"%s", name, *hint ? hint : "; see idemshim --help");
}

static int help(const char *name)
{
  const struct cli_command *command = name ? find(name) : NULL;
  if (!name)
    return print_overview(stdout, CLI_OK);
  if (!command)
    return unknown(name);
  cli_options_help(command, stdout);
  return CLI_OK;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
  struct cli_options options = {0};
  int first = 0;
  cli_message_command(command->name);
  switch (cli_options_parse(command, argc, argv, &options, &first)) {
  case CLI_PARSED_HELP:
    return help(command->name);
  case CLI_PARSED_WRONG:
    return CLI_USAGE;
  case CLI_PARSED:
    break;
  }
  return command->run(&options, argc - first, argv + first);
}

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
    return help(NULL);
  if (strcmp(word, "help") == 0)
    return help(argv[2]);
  const struct cli_command *command = find(word);
  return command ? run(command, argc - 1, argv + 1) : unknown(word);
}

/* A full disk behind a redirection shows here at the latest; a script must not take half an output for all of
 * it. */
static int finish_output(int code)
{
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout))
    return code;
  return cli_fail(CLI_STORE, "the output cannot be written: %s; it is not complete", strerror(errno));
}

int main(int argc, char **argv)
{
  cli_text_init();
  return finish_output(dispatch(argc, argv));
}
