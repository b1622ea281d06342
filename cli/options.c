/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include "cli/message.h"
#include "config/place.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define MOST_OPTIONS 16

/* getopt's own table, made from ours; the option at index i has the value FIRST_VALUE + i. */
enum { FIRST_VALUE = 256 };

static void make_table(const struct cli_command *command, struct option table[MOST_OPTIONS + 2])
{
  int n = 0;
  for (const struct cli_option *option = command->options; option->name && n < MOST_OPTIONS; option++, n++)
    table[n] = (struct option){option->name, option->argument ? required_argument : no_argument, NULL,
                               FIRST_VALUE + n};
  table[n] = (struct option){"help", no_argument, NULL, 'h'};
  table[n + 1] = (struct option){0};
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
  if (optopt >= FIRST_VALUE) {
    const struct cli_option *option = &command->options[optopt - FIRST_VALUE];
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
  struct option table[MOST_OPTIONS + 2];
  make_table(command, table);
  opterr = 0;
  for (int got; (got = getopt_long(argc, argv, command->stops ? "+:h" : ":h", table, NULL)) != -1;) {
    if (got == 'h')
      return CLI_PARSED_HELP;
    if (got < FIRST_VALUE)
      return complain(command, got, argv);
    if (store_value(&command->options[got - FIRST_VALUE], optarg, options) != CLI_PARSED)
      return CLI_PARSED_WRONG;
  }
  *first = optind;
  return check_operands(command, argc - optind, argv + optind);
}

static int option_label(char *out, size_t size, const struct cli_option *option)
{
  return snprintf(out, size, option->argument ? "--%s %s" : "--%s", option->name, option->argument);
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
