/* SPDX-License-Identifier: MIT */
/* From a word of the command line to a row of a table, and from the row to its function. What a command
 * works on, a store or a tape, is opened first, then --output, and both are closed behind it in the other
 * order. */
#include "cli/commands/dispatch.h"

#include "cli/launch/find_store.h"
#include "cli/output/sink.h"
#include "cli/tape/tape.h"
#include "config/place.h"

#include <signal.h>
#include <string.h>

/* More than any table has. */
enum { COMMANDS_MOST = 32 };

const char *cli_command_word(const struct cli_command *command)
{
  /* A command below another one has both words in its name: "tape ls". */
  const char *blank = strrchr(command->name, ' ');
  return blank ? blank + 1 : command->name;
}

/* The row that is called so, by its last word; NULL if there is none, and then that is said. */
static const struct cli_command *find(const struct cli_commands *commands, const char *word)
{
  const char *words[COMMANDS_MOST + 1] = {NULL};
  for (size_t i = 0; i < commands->count && i < COMMANDS_MOST; i++) {
    words[i] = cli_command_word(commands->row[i]);
    if (strcmp(words[i], word) == 0)
      return commands->row[i];
  }
  const char *hint = IDEM_SUGGEST(words, word, strlen(word));
  if (*hint)
    cli_fail(CLI_USAGE, "unknown command \"%s%s\"%s", commands->of, word, hint);
  else
    cli_fail(CLI_USAGE, "unknown command \"%s%s\"; see idemshim %s--help", commands->of, word, commands->of);
  return NULL;
}

/* What a command works on is closed on every path, so that it can return from anywhere; of a tape, the first
 * operand is the directory. --output is opened last: root may have become the owner of a store. */
static int run_command(const struct cli_command *command, const struct cli_options *options, int argc,
                       char **operands)
{
  struct idem_store *store = NULL;
  struct tape *tape = NULL;
  struct cli_sink sink;
  int code = command->on_store  ? cli_find_store(options, command->only_reads, &store)
             : command->on_tape ? cli_tape_open(options, operands[0], &tape)
                                : CLI_OK;
  if (code == CLI_OK && (code = cli_sink_open(options->output, operands, command->public, &sink)) == CLI_OK)
    code = cli_sink_close(&sink, store  ? command->on_store(options, store, operands)
                                 : tape ? command->on_tape(options, tape, operands)
                                        : command->run(options, argc, operands));
  if (store)
    idem_store_close(store);
  if (tape)
    tape_close(tape);
  return code;
}

/* argv[0] is the word; a command of commands calls this again with its own table. */
int cli_commands_run(const struct cli_commands *commands, int argc, char **argv)
{
  const struct cli_command *command = find(commands, argv[0]);
  struct cli_options options = {0};
  int first = 0;
  if (!command)
    return CLI_USAGE;
  cli_message_command(command->name);
  int code = cli_options_parse(command, argc, argv, &options, &first);
  /* Asked for, so it goes to standard output and is no failure. */
  if (code == CLI_HELP) {
    cli_options_help(command);
    return CLI_OK;
  }
  if (code != CLI_OK)
    return code;
  /* Who ignores it, as a service does, would have the rest of a long list fail with a message for each
   * `| head`. What runs another program leaves that as it is. */
  if (!command->stops)
    signal(SIGPIPE, SIG_DFL);
  char **operands = argv + first;
  if (command->commands)
    return cli_commands_run(command->commands, argc - first, operands);
  return run_command(command, &options, argc - first, operands);
}

/* An unknown name is refused as it would be without help. */
int cli_commands_help(const struct cli_commands *commands, char **words)
{
  const struct cli_command *command = find(commands, words[0]);
  if (command && words[1] && command->commands)
    return cli_commands_help(command->commands, words + 1);
  if (command && words[1])
    return cli_fail(CLI_USAGE, "%s has no commands of its own, such as \"%s\"", command->name, words[1]);
  if (command)
    cli_options_help(command);
  return command ? CLI_OK : CLI_USAGE;
}

/* For the overview, in the order of the table. */
void cli_commands_list(const struct cli_commands *commands, FILE *out)
{
  for (size_t i = 0; i < commands->count; i++)
    fprintf(out, "  %-8s  %s\n", cli_command_word(commands->row[i]), commands->row[i]->summary);
}
