/* SPDX-License-Identifier: MIT */
/*
 * From the command line to a command's run. getopt_long(3) does the reading; its tables are made from ours each time, since
 * it moves operands about and says what was wrong in three different places (its result, optopt, optind).
 */
#include "cli/command/command.h"

#include "cli/launch/find_store.h"
#include "cli/tape/tape.h"
#include "config/place.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MOST = 16, COMMANDS_MOST = 32 };

/* What getopt gives for option i is FIRST_VALUE + i, so that it is never one of the letters. */
enum { FIRST_VALUE = 256 };

/* A parse that ends with --help, beside the exit codes that it ends with otherwise. */
enum { HELP = -1 };

/* Options. */

static void make_tables(const struct cli_command *command, struct option names[OPTIONS_MOST + 2],
                        char letters[2 * OPTIONS_MOST + 8])
{
  char *letter = stpcpy(letters, command->stops ? "+:h" : ":h");
  int n = 0;
  for (const struct cli_option *option = command->options; option->name && n < OPTIONS_MOST; option++, n++) {
    names[n] = (struct option){option->name, option->argument ? required_argument : no_argument, NULL,
                               FIRST_VALUE + n};
    if (option->letter)
      letter += sprintf(letter, "%c%s", option->letter, option->argument ? ":" : "");
  }
  names[n] = (struct option){"help", no_argument, NULL, 'h'};
  names[n + 1] = (struct option){0};
}

/* The option that getopt's answer, or its optopt, stands for; NULL for none of ours. */
static const struct cli_option *option_of(const struct cli_command *command, int got)
{
  if (got >= FIRST_VALUE)
    return &command->options[got - FIRST_VALUE];
  for (const struct cli_option *option = command->options; got && option->name; option++)
    if (option->letter == got)
      return option;
  return NULL;
}

/* Sets the member that the option is for. The text stays where it is: argv outlives every command. */
static int store_value(const struct cli_option *option, char *text, struct cli_options *options)
{
  void *member = (char *)options + option->offset;
  const char **list = member;
  size_t count = 0;
  char *end;
  switch (option->kind) {
  case CLI_FLAG:
    *(bool *)member = true;
    break;
  case CLI_TEXT:
    *list = text;
    break;
  case CLI_COUNT:
    errno = 0;
    *(uint64_t *)member = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-')
      return cli_fail(CLI_USAGE, "--%s: expected a number, got \"%s\"", option->name, text);
    break;
  case CLI_LIST:
    while (count < CLI_LIST_MAX && list[count])
      count++;
    if (count == CLI_LIST_MAX)
      return cli_fail(CLI_USAGE, "--%s: at most %d of them", option->name, CLI_LIST_MAX);
    list[count] = text;
    break;
  }
  return CLI_OK;
}

/* Refuses what getopt answered ':' or '?' to: a value is missing or too many, or there is no such option. */
static int complain(const struct cli_command *command, int got, char **argv)
{
  const struct cli_option *option = option_of(command, optopt);
  const char *words[OPTIONS_MOST + 2] = {"--help"};
  char names[OPTIONS_MOST][24], letter[] = {'-', (char)optopt, '\0'};
  const char *word = optopt ? letter : argv[optind - 1];
  if (option && got == ':')
    return cli_fail(CLI_USAGE, "--%s needs a value: --%s %s", option->name, option->name, option->argument);
  if (option)
    return cli_fail(CLI_USAGE, "--%s takes no value", option->name);
  for (int i = 0; i < OPTIONS_MOST && command->options[i].name; i++) {
    snprintf(names[i], sizeof(names[i]), "--%s", command->options[i].name);
    words[i + 1] = names[i];
  }
  const char *hint = IDEM_SUGGEST(words, word, strcspn(word, "="));
  if (*hint)
    return cli_fail(CLI_USAGE, "unknown option \"%s\"%s", word, hint);
  return cli_fail(CLI_USAGE, "unknown option \"%s\"; see idemshim %s --help", word, command->name);
}

/* Reads argv[1..] into `options`; `*first` is the index of the first operand, for operands are moved to the end. Returns an
 * enum cli_exit, or HELP. */
static int parse(const struct cli_command *command, int argc, char **argv, struct cli_options *options,
                 int *first)
{
  struct option names[OPTIONS_MOST + 2];
  char letters[2 * OPTIONS_MOST + 8];
  make_tables(command, names, letters);
  opterr = 0;
  optind = 0; /* also forgets what a command that this one belongs to was parsed with */
  for (int got; (got = getopt_long(argc, argv, letters, names, NULL)) != -1;) {
    const struct cli_option *option = option_of(command, got);
    if (got == 'h')
      return HELP;
    int code = option ? store_value(option, optarg, options) : complain(command, got, argv);
    if (code != CLI_OK)
      return code;
  }
  *first = optind;
  if (argc - optind < command->min_operands)
    return cli_fail(CLI_USAGE, "an operand is missing; usage: idemshim %s %s", command->name,
                    command->operands);
  if (argc - optind > command->max_operands)
    return cli_fail(CLI_USAGE, "unexpected operand \"%s\"; see idemshim %s --help",
                    argv[optind + command->max_operands], command->name);
  if (options->json + options->body + options->headers + options->request > 1)
    return cli_fail(CLI_USAGE, "--json, --body, --headers and --request exclude each other; give one");
  if (options->json && options->prometheus)
    return cli_fail(CLI_USAGE, "--json and --prometheus exclude each other; give one");
  return CLI_OK;
}

/* "usage: idemshim ls [options]", the options with their help, and the details. */
static void print_help(const struct cli_command *command)
{
  char label[64];
  printf("usage: idemshim %s [options]%s%s\n\n%s\n\noptions:\n", command->name, *command->operands ? " " : "",
         command->operands, command->summary);
  for (const struct cli_option *option = command->options; option->name; option++) {
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    snprintf(label, sizeof(label), option->argument ? "%s--%s %s" : "%s--%s", option->letter ? letter : "",
             option->name, option->argument);
    printf("  %-18s  %s\n", label, option->help);
  }
  printf("  %-18s  %s\n", "--help", "print this");
  if (command->details)
    printf("\n%s\n", command->details);
}

/* Commands. */

static const char *word_of(const struct cli_command *command)
{
  const char *blank = strrchr(command->name, ' ');
  return blank ? blank + 1 : command->name;
}

/* The row that is called so, by its last word; NULL if there is none, and then that is said. */
static const struct cli_command *find(const struct cli_commands *commands, const char *word)
{
  const char *words[COMMANDS_MOST + 1] = {NULL};
  for (size_t i = 0; i < commands->count && i < COMMANDS_MOST; i++) {
    words[i] = word_of(commands->row[i]);
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

static int run_on_store(const struct cli_command *command, const struct cli_options *options, char **operands)
{
  struct idem_store *store;
  int code = cli_find_store(options, &store);
  if (code != CLI_OK)
    return code;
  code = command->on_store(options, store, operands);
  idem_store_close(store);
  return code;
}

static int run_on_tape(const struct cli_command *command, const struct cli_options *options, char **operands)
{
  struct tape *tape;
  int code = cli_tape_open(options, operands[0], &tape);
  if (code != CLI_OK)
    return code;
  code = command->on_tape(options, tape, operands);
  tape_close(tape);
  return code;
}

int cli_commands_run(const struct cli_commands *commands, int argc, char **argv)
{
  const struct cli_command *command = find(commands, argv[0]);
  struct cli_options options = {0};
  int first = 0;
  if (!command)
    return CLI_USAGE;
  cli_message_command(command->name);
  int code = parse(command, argc, argv, &options, &first);
  if (code == HELP) {
    print_help(command);
    return CLI_OK;
  }
  if (code != CLI_OK)
    return code;
  char **operands = argv + first;
  return command->on_store  ? run_on_store(command, &options, operands)
         : command->on_tape ? run_on_tape(command, &options, operands)
                            : command->run(&options, argc - first, operands);
}

int cli_commands_help(const struct cli_commands *commands, const char *word)
{
  const struct cli_command *command = find(commands, word);
  if (command)
    print_help(command);
  return command ? CLI_OK : CLI_USAGE;
}

void cli_commands_list(const struct cli_commands *commands, FILE *out)
{
  for (size_t i = 0; i < commands->count; i++)
    fprintf(out, "  %-8s  %s\n", word_of(commands->row[i]), commands->row[i]->summary);
}
