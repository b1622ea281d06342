/* SPDX-License-Identifier: MIT */
#include "cli/command/dispatch.h"

#include "cli/command/options.h"
#include "cli/output/message.h"
#include "config/place.h"

#include <getopt.h>
#include <string.h>

enum { COMMANDS_MOST = 32 };

static const char *word_of(const struct cli_command *command)
{
  const char *blank = strrchr(command->name, ' ');
  return blank ? blank + 1 : command->name;
}

const struct cli_command *cli_find_command(const struct cli_commands *commands, const char *word)
{
  for (size_t i = 0; i < commands->count; i++)
    if (strcmp(word_of(commands->row[i]), word) == 0)
      return commands->row[i];
  return NULL;
}

int cli_unknown_command(const struct cli_commands *commands, const char *word)
{
  const char *words[COMMANDS_MOST + 1] = {NULL};
  for (size_t i = 0; i < commands->count && i < COMMANDS_MOST; i++)
    words[i] = word_of(commands->row[i]);
  const char *hint = IDEM_SUGGEST(words, word, strlen(word));
  if (*hint)
    return cli_fail(CLI_USAGE, "unknown command \"%s%s\"%s", commands->of, word, hint);
  return cli_fail(CLI_USAGE, "unknown command \"%s%s\"; see idemshim %s--help", commands->of, word,
                  commands->of);
}

int cli_run_command(const struct cli_command *command, int argc, char **argv)
{
  struct cli_options options = {0};
  int first = 0;
  cli_message_command(command->name);
  optind = 0;
  switch (cli_options_parse(command, argc, argv, &options, &first)) {
  case CLI_PARSED_HELP:
    cli_options_help(command, stdout);
    return CLI_OK;
  case CLI_PARSED_WRONG:
    return CLI_USAGE;
  case CLI_PARSED:
    break;
  }
  return command->run(&options, argc - first, argv + first);
}

void cli_list_commands(const struct cli_commands *commands, FILE *out)
{
  for (size_t i = 0; i < commands->count; i++)
    fprintf(out, "  %-8s  %s\n", word_of(commands->row[i]), commands->row[i]->summary);
}
