/* SPDX-License-Identifier: MIT */
/*
 * Options by a command's table. getopt_long(3) does the reading; its tables are made from ours each time,
 * since it moves operands about and says what was wrong in three different places (its result, optopt,
 * optind).
 */
#include "cli/command/command.h"

#include "config/place.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row beyond it would be shown by --help and not be known. */
enum { OPTIONS_MOST = 24 };

/* What getopt gives for option i is FIRST_VALUE + i, so that it is never one of the letters. */
enum { FIRST_VALUE = 256 };

/* "+" ends the options at the first operand; ":" has getopt tell a missing value from an unknown
 * option. */
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
  /* Every command has it, and no table. */
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
    /* strtoull() takes a minus, and gives a large number for it; 0 is what was not given. */
    if (errno || end == text || *end || text[0] == '-' || !*(uint64_t *)member)
      return cli_fail(CLI_USAGE, "--%s: expected a number from 1 on, got \"%s\"", option->name, text);
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

/* Refuses what getopt answered ':' or '?' to: a value is missing or too many, or there is no such
 * option. getopt says "unknown" and "no value" in three places: its result, optopt for short
 * options and for long ones with a value too many, and argv[optind - 1] for the word itself. */
static int complain(const struct cli_command *command, int got, char **argv)
{
  const struct cli_option *option = option_of(command, optopt);
  const char *words[OPTIONS_MOST + 2] = {"--help"};
  char names[OPTIONS_MOST][24], letter[] = {'-', (char)optopt, '\0'};
  /* For a long option that nobody knows optopt is 0, and the word is the one before the next. */
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

/* An unknown option ends the parse: what follows could be meant for it. */
int cli_options_parse(const struct cli_command *command, int argc, char **argv, struct cli_options *options,
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
      return CLI_HELP;
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
  if (options->zero && (options->json || options->prometheus))
    return cli_fail(CLI_USAGE, "--zero prints no figures; give it alone");
  return CLI_OK;
}

/* Made from the table alone; the manual page is compared with it by a test, so neither can have a
 * word that the other has not. */
void cli_options_help(const struct cli_command *command)
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
