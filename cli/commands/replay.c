/* SPDX-License-Identifier: MIT */
/* `replay`: `run` with mode replay and a tape. What is wrong with the tape or an --edit is told
 * before the program starts, since the program would only see calls that fail. */
#include "cli/launch/find_store.h"
#include "cli/launch/launch.h"
#include "cli/launch/replay_state.h"
#include "cli/launch/temporary.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "cli/tape/faults.h"
#include "cli/tape/pair.h"
#include "cli/tape/tape.h"
#include "cli/view/rules.h"
#include "config/conf_file.h"
#include "config/kernel.h"
#include "config/text.h"
#include "config/words.h"
#include "tape/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The tape is open from check_tape(), before the program starts, to account(), when it has ended; both go
 * by what was asked for. */
static struct tape *tape;
static const struct cli_options *asked;

/* As it was named: with --fault, a copy of it is replayed. */
static const char *recorded;

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
  if (!path || !cli_readable_file(path))
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

/* Every --map-origin, too. */
static int set_origins(const struct cli_options *options)
{
  char *all = NULL;
  int code = cli_check_origins(options->origins);
  if (code != CLI_OK)
    return code;
  for (size_t i = 0; i < CLI_LIST_MAX && options->origins[i]; i++) {
    char *joined;
    if (asprintf(&joined, "%s%s%s", all ? all : "", all ? ";" : "", options->origins[i]) < 0)
      joined = NULL;
    free(all);
    all = joined;
  }
  int failed = all && setenv("IDEMSHIM_MAP_ORIGIN", all, 1) < 0;
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

/* Nor does the shim say that it never gets there. */
static int check_live_from(const struct idem_config *config, uint64_t exchanges)
{
  if (!asked->live_from || (config->live_from >= 1 && config->live_from <= exchanges))
    return CLI_OK;
  return cli_fail(CLI_USAGE, "--live-from %s: the tape has exchanges 1 to %" PRIu64, asked->live_from,
                  exchanges);
}

/* A replay that were written on the tape that it reads would change what was recorded; and where none can be
 * written, there would be nothing to compare at the end. */
static int check_output(const struct idem_config *config)
{
  struct stat from, to;
  struct tape_writer *writer = NULL;
  struct idem_error error = {""};
  const char *dir = config->replay_output;
  if (!dir)
    return CLI_OK;
  if (idem_fstatat(AT_FDCWD, recorded, &from, 0) == 0 && idem_fstatat(AT_FDCWD, dir, &to, 0) == 0 &&
      from.st_dev == to.st_dev && from.st_ino == to.st_ino)
    return cli_fail(CLI_USAGE, "%s is the tape that is replayed; give another directory to -o", dir);
  struct tape_options options = {
      .dir = dir, .max_size = config->tape_size, .key_file = config->tape_key_file};
  /* Closed at once: this only asks whether it opens. */
  int result = tape_open_writer(&writer, &options, &error);
  tape_close_writer(writer);
  return result < 0 ? cli_fail(CLI_USAGE, "%s; nothing was started", error.text) : CLI_OK;
}

/* Rules that are given hold in the place of those on the tape, which may not be what was meant. */
static void compare_rules(const struct idem_config *config)
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

/* A tape of last year says nothing of what a server does today. */
static int check_age(void)
{
  struct tape_record first = {0};
  struct idem_error error = {""};
  char age[CLI_UNIT_SIZE];
  uint64_t most_ms;
  if (!asked->max_age)
    return CLI_OK;
  if (idem_parse_duration(asked->max_age, strlen(asked->max_age), &most_ms) < 0)
    return cli_fail(CLI_USAGE, "--max-age %s: expected a duration such as 7d", asked->max_age);
  int64_t age_us = tape_peek(tape, 1, &first, &error) == 0 ? cli_now_us() - first.call.started_us : 0;
  tape_record_release(&first);
  if (age_us / 1000 <= (int64_t)most_ms || most_ms == IDEM_FOREVER_MS)
    return CLI_OK;
  return cli_fail(CLI_USAGE,
                  "the tape was begun %s ago, and --max-age is %s; nothing was started: record it again",
                  cli_duration(age, (uint64_t)(age_us / 1000)), asked->max_age);
}

/* Given what the program has exited with; returns what this command exits with, which is another code only
 * where --strict finds something, or the account cannot be read. The sentence goes to stderr, where
 * messages go. */
static int account(int code)
{
  struct tape_account sum;
  struct tape_record first = {0};
  struct idem_error error = {""};
  char unused[300] = "", rest[100] = "";
  if (tape_account(tape, getenv("IDEMSHIM_REPLAY_STATE"), &sum, &error) < 0)
    return cli_fail(code ? code : CLI_STORE, "%s", error.text);
  if (!sum.used && !sum.misses && (code == 126 || code == 127)) /* it was not started */
    return code;
  if (sum.first_unused && tape_peek(tape, sum.first_unused, &first, &error) == 0)
    snprintf(unused, sizeof(unused), "; the first that was not is %" PRIu64 ", %.*s %.*s%.*s",
             sum.first_unused, (int)first.method.len, first.method.data, (int)first.origin.len,
             first.origin.data, (int)first.path.len, first.path.data);
  const char *on_miss = getenv("IDEMSHIM_ON_MISS");
  if (sum.misses)
    snprintf(rest, sizeof(rest), "; %" PRIu64 " %s not on the tape%s", sum.misses,
             idem_word(sum.misses, "call was", "calls were"),
             on_miss && *on_miss && strcmp(on_miss, "fail") != 0 ? ", and went out" : "");
  if (sum.live)
    snprintf(rest + strlen(rest), sizeof(rest) - strlen(rest), "; %" PRIu64 " went out", sum.live);
  cli_fail(code, "%" PRIu64 " of %" PRIu64 " %s used%s%s", sum.used, sum.replayable,
           idem_word(sum.replayable, "exchange was", "exchanges were"), unused, rest);
  tape_record_release(&first);
  tape_close(tape);
  bool incomplete = sum.used < sum.replayable || sum.misses;
  return code == 0 && asked->strict && incomplete ? CLI_NO : code;
}

/* What is wrong with the tape is better known before the program runs. */
static int check_tape(const struct idem_config *config)
{
  struct idem_error error = {""};
  struct tape_source source = {.dir = config->tape_dir, .key_file = config->tape_key_file};
  if (tape_open(&tape, &source, &error) < 0)
    return cli_fail(CLI_USAGE, "%s; nothing was started", error.text);
  int code = check_edits(config->replay_edit, tape_totals(tape).exchanges);
  if (code == CLI_OK)
    code = check_live_from(config, tape_totals(tape).exchanges);
  if (code == CLI_OK)
    code = check_age();
  if (code == CLI_OK)
    code = check_output(config);
  if (code == CLI_OK)
    compare_rules(config);
  /* Last, for there is nobody to remove it if nothing is started. */
  return code == CLI_OK ? cli_make_replay_state() : code;
}

/* The tape that is replayed is then a copy, which goes when the program ends. */
static int make_faults(const struct cli_options *options, const char *dir)
{
  struct tape *whole;
  char *copy = NULL;
  int code = cli_tape_open(options, dir, &whole);
  if (code != CLI_OK)
    return code;
  code = cli_faults_make(options->faults, whole, cli_tape_key(options), &copy);
  tape_close(whole);
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
  recorded = argv[0];
  if (program == argc)
    return cli_fail(CLI_USAGE, "a command is missing; usage: idemshim replay [options] DIR -- COMMAND");
  int code = cli_set_variables(&replaying);
  cli_begin_run();
  if (code == CLI_OK)
    code = set_edits(options);
  if (code == CLI_OK && options->faults)
    code = make_faults(options, argv[0]);
  if (code == CLI_OK)
    code = set_origins(options);
  asked = options;
  return code == CLI_OK
             ? cli_launch_and_wait(argv + program, &(struct cli_waiting){.check = check_tape, .end = account})
             : code;
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
        CLI_OPTION("on-miss", "M", CLI_TEXT, on_miss,
                   "what is not on the tape: fail, live, or record it there"),
        CLI_OPTION("live-from", "N", CLI_TEXT, live_from,
                   "the call of exchange N goes out, and all after it"),
        CLI_SHORT_OPTION('o', "output", "DIR", CLI_TEXT, replay_output,
                         "the tape of this run, for tape diff"),
        CLI_OPTION("map-origin", "FROM=TO", CLI_LIST, origins,
                   "calls to TO are those recorded to FROM; repeatable"),
        CLI_OPTION("strict", NULL, CLI_FLAG, strict, "exit 1 if the program had other calls than the tape"),
        CLI_OPTION("max-age", "T", CLI_TEXT, max_age, "refuse a tape that was begun longer ago: 7d"),
        CLI_OPTION("edit", "N=FILE", CLI_LIST, edits, "FILE is the body of exchange N; may be repeated"),
        CLI_OPTION("fault", "F,...", CLI_TEXT, faults,
                   "what if: 429@3, cut@0.5, stall:30s, reset; @N: exchange N alone"),
        CLI_OPTION_CALLS, CLI_OPTION_KEY),
    .min_operands = 2,
    .max_operands = CLI_ANY_NUMBER,
    .stops = true,
    .run = replay,
};
