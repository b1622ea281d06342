/* SPDX-License-Identifier: MIT */
/* `replay`: `run` with mode replay and a tape. What is wrong with the tape or an --edit is told
 * before the program starts, since the program would only see calls that fail. */
#include "cli/launch/find_store.h"
#include "cli/launch/launch.h"
#include "cli/launch/replay_state.h"
#include "cli/output/output.h"
#include "cli/tape/faults.h"
#include "cli/tape/tape.h"
#include "cli/view/rules.h"
#include "config/conf_file.h"
#include "tape/tape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An --edit as the variable takes it, behind those before it. The caller frees it. */
static char *join_edit(const char *before, const char *edit)
{
  /* No sign and no blank, which strtoull() would take. */
  size_t digits = strspn(edit, "0123456789");
  char *joined = NULL, *path;
  /* The variable parts its entries with semicolons. */
  if (!digits || edit[digits] != '=' || !edit[digits + 1] || strchr(edit, ';')) {
    cli_fail(CLI_USAGE, "--edit %s: expected N=FILE, the number of an exchange and a file without ;", edit);
    return NULL;
  }
  /* The program may change its directory before the library reads it. */
  path = cli_absolute(edit + digits + 1);
  if (!path || access(path, R_OK) < 0)
    cli_fail(CLI_USAGE, "--edit %s: %s", edit, strerror(errno));
  else if (asprintf(&joined, "%s%s%.*s=%s", before, *before ? ";" : "", (int)digits, edit, path) < 0)
    joined = NULL;
  free(path);
  return joined;
}

/* Every --edit, joined into the one variable. A mistake has been said. */
static int set_edits(const struct cli_options *options)
{
  char *all = strdup("");
  for (size_t i = 0; all && i < CLI_LIST_MAX && options->edits[i]; i++) {
    char *joined = join_edit(all, options->edits[i]);
    free(all);
    all = joined;
  }
  int failed = !all || (*all && setenv("IDEMSHIM_REPLAY_EDIT", all, 1) < 0);
  free(all);
  return failed ? CLI_USAGE : CLI_OK;
}

/* A number that the tape does not have would be ignored in silence by the shim. */
static int check_edits(const char *edits, uint64_t exchanges)
{
  for (const char *at = edits; at; at = strchr(at, ';')) {
    at += *at == ';';
    uint64_t number = strtoull(at, NULL, 10);
    if (number < 1 || number > exchanges)
      return cli_fail(CLI_USAGE, "--edit %.*s: the tape has exchanges 1 to %" PRIu64, (int)strcspn(at, ";"),
                      at, exchanges);
  }
  return CLI_OK;
}

/* Rules that are given hold in the place of those on the tape, which may not be what was meant. */
static void compare_rules(const struct idem_config *config, const struct tape *tape)
{
  struct tape_met met;
  size_t number = 0;
  const struct idem_given *rules = &config->given[IDEM_VARIABLE_RULES],
                          *hosts = &config->given[IDEM_VARIABLE_HOSTS];
  bool given =
      (rules->value && *rules->value && !rules->file) || (hosts->value && *hosts->value && !hosts->file);
  if (!given || tape_meets(tape, &met, NULL) < 0)
    return;
  char *next = met.rules, *line;
  while ((line = strsep(&next, "\n"))) {
    char *text = number < config->rule_count ? cli_rule_text(&config->rules[number]) : NULL;
    bool same = !*line || (text && strcmp(text, line) == 0);
    if (!same)
      cli_warn("the rules that are given hold, and not those of the tape; the first that differs: %s (the "
               "tape has %s)",
               text ? text : "there is none", line);
    number += *line != '\0';
    free(text);
    if (!same)
      break;
  }
  tape_met_release(&met);
}

/* What is wrong with the tape is better known before the program runs. */
static int check_tape(const struct idem_config *config)
{
  struct tape *tape;
  struct idem_error error = {""};
  struct tape_source source = {.dir = config->tape_dir, .key_file = config->tape_key_file};
  if (tape_open(&tape, &source, &error) < 0)
    return cli_fail(CLI_USAGE, "%s; nothing was started", error.text);
  int code = check_edits(config->replay_edit, tape_totals(tape).exchanges);
  compare_rules(config, tape);
  tape_close(tape);
  /* Last, for there is nobody to remove it if nothing is started. */
  return code == CLI_OK ? cli_make_replay_state() : code;
}

/* The tape that is replayed is then a copy, which goes when the program ends. */
static int make_faults(const struct cli_options *options, const char *dir)
{
  struct tape *tape;
  char *copy = NULL;
  int code = cli_tape_open(options, dir, &tape);
  if (code != CLI_OK)
    return code;
  code = cli_faults_make(options->faults, tape, cli_tape_key(options), &copy);
  tape_close(tape);
  /* Also where it was not made whole. */
  if (copy)
    cli_remove_at_end(copy);
  if (code == CLI_OK && setenv("IDEMSHIM_TAPE", copy, 1) < 0)
    code = cli_fail(CLI_STORE, "out of memory");
  free(copy);
  return code;
}

/* The operands are DIR [--] COMMAND...; getopt has stopped at DIR, so a -- behind it is still
 * there. */
static int replay(const struct cli_options *options, int argc, char **argv)
{
  struct cli_options replaying = *options;
  int program = strcmp(argv[1], "--") == 0 ? 2 : 1;
  /* As if they had been given as options of `run`. */
  replaying.mode = "replay";
  replaying.tape = argv[0];
  if (program == argc)
    return cli_fail(CLI_USAGE, "a command is missing; usage: idemshim replay [options] DIR -- COMMAND");
  int code = cli_set_variables(&replaying);
  setenv("IDEMSHIM_SUMMARY", "on", 0);
  if (code == CLI_OK)
    code = set_edits(options);
  if (code == CLI_OK && options->faults)
    code = make_faults(options, argv[0]);
  return code == CLI_OK ? cli_launch(argv + program, check_tape) : code;
}

const struct cli_command cli_command_replay = {
    .name = "replay",
    .operands = "DIR [--] COMMAND [ARGUMENT...]",
    .summary = "run a program again with what a tape has, without the network",
    .details = "Calls are met by the rules that the tape was recorded with, unless others are given; what "
               "goes to a server that is\n"
               "on the tape is never sent, and the rest only without --offline. Exits as the program does, "
               "or as run; 2 also if DIR "
               "cannot\n"
               "be read as a tape.",
    .options = CLI_OPTIONS(
        CLI_OPTION("pace", "P", CLI_TEXT, pace, "instant, original, or so many times as fast: 10"),
        CLI_OPTION("match", "M", CLI_TEXT, match, "exact, or loose: dates and UUIDs do not count"),
        CLI_OPTION("exhausted", "E", CLI_TEXT, exhausted, "after the last outcome: error, or last again"),
        CLI_OPTION("offline", NULL, CLI_FLAG, offline,
                   "refuse also what goes to servers that are not on the tape"),
        CLI_OPTION("edit", "N=FILE", CLI_LIST, edits, "FILE is the body of exchange N; may be repeated"),
        CLI_OPTION("fault", "F,...", CLI_TEXT, faults,
                   "what if: 429@3, cut@0.5, stall:30s, reset; @N: exchange N alone"),
        CLI_OPTION_CALLS, CLI_OPTION_KEY),
    .min_operands = 2,
    .max_operands = CLI_ANY_NUMBER,
    .stops = true,
    .run = replay,
};
