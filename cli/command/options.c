/* SPDX-License-Identifier: MIT */
#include "cli/command/options.h"

#include "cli/output/message.h"
#include "config/place.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define MOST_OPTIONS 16

/* getopt's own tables, made from ours; the option at index i has the value FIRST_VALUE + i. */
enum { FIRST_VALUE = 256 };

struct tables {
  struct option names[MOST_OPTIONS + 2];
  char letters[2 * MOST_OPTIONS + 8];
};

static void make_tables(const struct cli_command *command, struct tables *tables)
{
  char *letter = stpcpy(tables->letters, command->stops ? "+:h" : ":h");
  int n = 0;
  for (const struct cli_option *option = command->options; option->name && n < MOST_OPTIONS; option++, n++) {
    tables->names[n] = (struct option){option->name, option->argument ? required_argument : no_argument, NULL,
                                       FIRST_VALUE + n};
    if (option->letter)
      letter += sprintf(letter, "%c%s", option->letter, option->argument ? ":" : "");
  }
  tables->names[n] = (struct option){"help", no_argument, NULL, 'h'};
  tables->names[n + 1] = (struct option){0};
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

static enum cli_parsed store_count(const struct cli_option *option, const char *text, uint64_t *out)
{
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno || end == text || *end || text[0] == '-') {
    cli_fail(CLI_USAGE, "--%s: expected a number, got \"%s\"", option->name, text);
    return CLI_PARSED_WRONG;
  }
  *out = value;
  return CLI_PARSED;
}

static enum cli_parsed store_next(const struct cli_option *option, const char *text, const char **list)
{
  size_t count = 0;
  while (count < CLI_LIST_MAX && list[count])
    count++;
  if (count == CLI_LIST_MAX) {
    cli_fail(CLI_USAGE, "--%s: at most %d of them", option->name, CLI_LIST_MAX);
    return CLI_PARSED_WRONG;
  }
  list[count] = text;
  return CLI_PARSED;
}

static enum cli_parsed store_value(const struct cli_option *option, const char *text,
                                   struct cli_options *options)
{
  void *field = (char *)options + option->offset;
  switch (option->kind) {
  case CLI_FLAG:
    *(bool *)field = true;
    return CLI_PARSED;
  case CLI_TEXT:
    *(const char **)field = text;
    return CLI_PARSED;
  case CLI_COUNT:
    return store_count(option, text, field);
  case CLI_LIST:
    return store_next(option, text, field);
  }
  return CLI_PARSED_WRONG;
}

static enum cli_parsed unknown(const struct cli_command *command, const char *word)
{
  const char *words[MOST_OPTIONS + 2] = {"--help"};
  char names[MOST_OPTIONS][24];
  for (int i = 0; i < MOST_OPTIONS && command->options[i].name; i++) {
    snprintf(names[i], sizeof(names[i]), "--%s", command->options[i].name);
    words[i + 1] = names[i];
  }
  const char *hint = IDEM_SUGGEST(words, word, strcspn(word, "="));
  if (*hint)
    cli_fail(CLI_USAGE, "unknown option \"%s\"%s", word, hint);
  else
    cli_fail(CLI_USAGE, "unknown option \"%s\"; see idemshim %s --help", word, command->name);
  return CLI_PARSED_WRONG;
}

/* A ':' or '?' from getopt_long. It says which word was wrong in no single place. */
static enum cli_parsed complain(const struct cli_command *command, int got, char **argv)
{
  const char *word = argv[optind - 1];
  const struct cli_option *option = option_of(command, optopt);
  if (option) {
    if (got == ':')
      cli_fail(CLI_USAGE, "--%s needs a value: --%s %s", option->name, option->name, option->argument);
    else
      cli_fail(CLI_USAGE, "--%s takes no value", option->name);
    return CLI_PARSED_WRONG;
  }
  char letter[] = {'-', (char)optopt, '\0'};
  return unknown(command, optopt ? letter : word);
}

static enum cli_parsed check_operands(const struct cli_command *command, int count, char **operands)
{
  if (count < command->min_operands) {
    cli_fail(CLI_USAGE, "an operand is missing; usage: idemshim %s %s", command->name, command->operands);
    return CLI_PARSED_WRONG;
  }
  if (count > command->max_operands) {
    cli_fail(CLI_USAGE, "unexpected operand \"%s\"; see idemshim %s --help", operands[command->max_operands],
             command->name);
    return CLI_PARSED_WRONG;
  }
  return CLI_PARSED;
}

enum cli_parsed cli_options_parse(const struct cli_command *command, int argc, char **argv,
                                  struct cli_options *options, int *first)
{
  struct tables tables;
  make_tables(command, &tables);
  opterr = 0;
  for (int got; (got = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1;) {
    const struct cli_option *option = option_of(command, got);
    if (got == 'h')
      return CLI_PARSED_HELP;
    if (!option)
      return complain(command, got, argv);
    if (store_value(option, optarg, options) != CLI_PARSED)
      return CLI_PARSED_WRONG;
  }
  *first = optind;
  return check_operands(command, argc - optind, argv + optind);
}

static int option_label(char *out, size_t size, const struct cli_option *option)
{
  char letter[] = {'-', option->letter, ',', ' ', '\0'};
  return snprintf(out, size, option->argument ? "%s--%s %s" : "%s--%s", option->letter ? letter : "",
                  option->name, option->argument);
}

void cli_options_help(const struct cli_command *command, FILE *out)
{
  char label[64];
  fprintf(out, "usage: idemshim %s [options]%s%s\n\n%s\n\noptions:\n", command->name,
          *command->operands ? " " : "", command->operands, command->summary);
  for (const struct cli_option *option = command->options; option->name; option++) {
    option_label(label, sizeof(label), option);
    fprintf(out, "  %-18s  %s\n", label, option->help);
  }
  fprintf(out, "  %-18s  %s\n", "--help", "print this");
  if (command->details)
    fprintf(out, "\n%s\n", command->details);
}
