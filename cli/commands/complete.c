/* SPDX-License-Identifier: MIT */
/*
 * `complete`: what could stand where the cursor is, for completions/. The shells hand over the words up to
 * there; what is known comes from the same rows as the parse and --help. A line is a word and, behind a tab,
 * what it means; or it names what the shell can list better itself: @files, @dirs, or "@program 3", where
 * word 3 begins another command line.
 */
#include "cli/commands/table.h"

#include "config/config.h"

#include <ctype.h>
#include <string.h>

/* Where the last word stands. */
struct place {
  const struct cli_command *command;
  const struct cli_option *value_of; /* it is the value of this option */
  int operand;                       /* else how many operands stand before it */
  int program;     /* the word at which another program begins, if `command` has one and it has begun */
  bool no_options; /* those have ended */
};

/* One candidate, if the word begins it. */
static void offer(const char *word, const char *text, size_t len, const char *help)
{
  size_t typed = strlen(word);
  if (typed <= len && memcmp(word, text, typed) == 0)
    printf("%.*s%s%s\n", (int)len, text, help ? "\t" : "", help ? help : "");
}

static void offer_commands(const struct cli_commands *commands, const char *word)
{
  for (size_t i = 0; i < commands->count; i++) {
    const char *name = cli_command_word(commands->row[i]);
    offer(word, name, strlen(name), commands->row[i]->summary);
  }
}

/* NULL for a word that is none: there is nothing to complete behind it. */
static const struct cli_command *command_of(const struct cli_commands *commands, const char *word)
{
  for (size_t i = 0; i < commands->count; i++)
    if (strcmp(cli_command_word(commands->row[i]), word) == 0)
      return commands->row[i];
  return NULL;
}

/* The option whose value is the next word; NULL if there is no such option, or it has none. */
static const struct cli_option *wants_value(const struct cli_command *command, const char *word)
{
  for (const struct cli_option *option = command->options; option->name; option++) {
    bool is_long = strncmp(word, "--", 2) == 0 && strcmp(word + 2, option->name) == 0;
    /* "-o" alone: with a value in the same word none follows. */
    bool is_short = option->letter && word[1] == option->letter && !word[2];
    if (option->argument && (is_long || is_short))
      return option;
  }
  return NULL;
}

/* Alternatives as the tables write them, "on|off|FILE": names in capitals stand for something else. */
static void offer_alternatives(const char *word, const char *text)
{
  for (size_t len; *text; text += len + (text[len] == '|')) {
    len = strcspn(text, "|");
    /* Words of ours are in small letters. */
    if (len && islower((unsigned char)text[0]))
      offer(word, text, len, NULL);
  }
}

/* Of an option that sets the variable of its name, the words that this takes; files and directories from what
 * --help calls the value. */
static void offer_values(const struct cli_option *option, const char *word)
{
  for (const struct idem_doc *doc = idem_variable_docs; doc->name; doc++) {
    const char *name = doc->name + strlen("IDEMSHIM_"), *at = option->name;
    /* --store-size is IDEMSHIM_STORE_SIZE. */
    while (*at && *name == (*at == '-' ? '_' : toupper((unsigned char)*at)))
      at++, name++;
    if (!*at && !*name)
      offer_alternatives(word, doc->values);
  }
  offer_alternatives(word, option->argument);
  if (strcmp(option->argument, "DIR") == 0)
    puts("@dirs");
  else if (strstr(option->argument, "FILE") || strcmp(option->name, "log") == 0)
    puts("@files");
}

static void offer_options(const struct cli_command *command, const char *word)
{
  char name[32];
  for (const struct cli_option *option = command->options; option->name; option++) {
    snprintf(name, sizeof(name), "--%s", option->name);
    offer(word, name, strlen(name), option->help);
  }
  offer(word, "--help", strlen("--help"), "print what it takes");
}

/* The n-th operand as the usage line calls it: "DIR" of "[--] DIR COMMAND [ARGUMENT...]"; one that ends in
 * dots stands for all that follow. */
static const char *operand_name(const char *operands, int n, size_t *len)
{
  const char *name = "";
  *len = 0;
  for (const char *at = operands; *(at += strspn(at, " []")); at += strcspn(at, " []")) {
    size_t here = strcspn(at, " []");
    /* "--" and "|" are of the usage line, and no operands. */
    if (*at == '-' || (*at == '|' && here == 1))
      continue;
    bool more = here > 3 && memcmp(at + here - 3, "...", 3) == 0;
    name = at;
    *len = more ? here - 3 : here;
    if (n-- == 0 || more)
      return name;
  }
  *len = 0;
  return "";
}

static bool is_named(const char *name, size_t len, const char *text)
{
  return len == strlen(text) && memcmp(name, text, len) == 0;
}

/* `help` has the names of commands as its own operands; for others COMMAND is a program. */
static void offer_operands(const struct place *place, char **argv, int last)
{
  size_t len;
  const char *name = operand_name(place->command->operands, place->operand, &len), *word = argv[last];
  /* From there on the shell completes as if that program's name stood first. */
  if (place->program)
    printf("@program %d\n", place->program);
  else if (is_named(name, len, "COMMAND") && place->command->stops)
    printf("@program %d\n", last);
  else if (is_named(name, len, "COMMAND")) {
    /* "help tape ls": the second word is one of the first one's commands. */
    const struct cli_command *of = place->operand ? command_of(&cli_commands, argv[last - 1]) : NULL;
    if (!place->operand || (of && of->commands))
      offer_commands(of ? of->commands : &cli_commands, word);
  } else if (is_named(name, len, "DIR"))
    puts("@dirs");
  else if (len >= 4 && memcmp(name, "FILE", 4) == 0)
    puts("@files");
}

/* As getopt reads the words before the last: argv[first] is the first behind the command's name. */
static void look(struct place *place, int first, int last, char **argv)
{
  const struct cli_command *command = place->command;
  size_t len;
  for (int i = first; i < last; i++) {
    /* Behind a program's name the words are that program's. */
    if (strcmp(argv[i], "--") == 0 && !place->program) {
      place->no_options = true;
    } else if (argv[i][0] == '-' && argv[i][1] && !place->no_options) {
      const struct cli_option *option = wants_value(command, argv[i]);
      /* Its value is the next word; where that is the last, it is what is being typed. */
      if (option && ++i == last)
        place->value_of = option;
    } else {
      const char *name = operand_name(command->operands, place->operand++, &len);
      if (command->stops && !place->program && is_named(name, len, "COMMAND"))
        place->program = i;
      /* A command that runs another one has its own options before the first operand (getopt's "+"). */
      place->no_options |= command->stops;
    }
  }
}

/* Ends without a word where nothing is known: a shell then shows nothing. */
static int complete(const struct cli_options *options, int argc, char **argv)
{
  const struct cli_commands *commands = &cli_commands;
  struct place place = {0};
  int at = 0, last = argc - 1;
  (void)options;
  /* Commands that have commands: "tape", then "ls". */
  while (commands && at < last) {
    if (!(place.command = command_of(commands, argv[at++])))
      return CLI_OK;
    commands = place.command->commands;
  }
  if (commands) {
    offer_commands(commands, argv[last]);
    return CLI_OK;
  }
  look(&place, at, last, argv);
  if (place.value_of)
    offer_values(place.value_of, argv[last]);
  else if (argv[last][0] == '-' && !place.no_options)
    offer_options(place.command, argv[last]);
  else
    offer_operands(&place, argv, last);
  return CLI_OK;
}

const struct cli_command cli_command_complete = {
    .name = "complete",
    .operands = "[--] WORD...",
    .summary = "what could follow, for the completions of shells",
    .details = "The words are those of a command line behind idemshim, up to the cursor. Prints what could "
               "stand for\n"
               "the last, one a line; @files, @dirs and @program N are for the shell to list.",
    .options = &(const struct cli_option){0},
    .min_operands = 1,
    .max_operands = CLI_ANY_NUMBER,
    .stops = true,
    .run = complete,
};
