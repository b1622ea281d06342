/* SPDX-License-Identifier: MIT */
/* `tail`: the event log for people, as it is written. */
#include "cli/output/json.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/watch/log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What is shown before it follows, without --limit; how far back that is looked for;
 * and how often it looks. */
enum { LINES_USUAL = 20, BEFORE = 16 << 20, EACH_MS = 100 };

/* Green: not paid for again. Red: paid for and lost, or something is wrong. */
static enum cli_style style_of(const char *name)
{
  static const char *const good[] = {"hit", "join", "would_hit", "stored", "rescued", "replayed", NULL};
  static const char *const bad[] = {"not_stored", "store_error",  "in_doubt",  "mismatch", "owner_stalled",
                                    "problem",    "not_recorded", "truncated", NULL};
  for (size_t i = 0; good[i]; i++)
    if (strcmp(name, good[i]) == 0)
      return CLI_GREEN;
  for (size_t i = 0; bad[i]; i++)
    if (strcmp(name, bad[i]) == 0)
      return CLI_RED;
  return CLI_PLAIN;
}

/* "14:03:09.120   4711 python3   hit   200  1.2 s  api.openai.com/v1/responses  3f9c0d1a2b4e5f60  direct" */
static void print_event(const struct cli_event *event)
{
  char when[CLI_UNIT_SIZE], took[CLI_UNIT_SIZE] = "", program[32], host[128], status[16] = "", *rest = NULL;
  const char *clock = strchr(cli_time(when, event->time_us), ' ');
  enum { BEFORE_CALL = 66 };
  size_t columns = cli_columns();
  if (event->status)
    snprintf(status, sizeof(status), "%d", event->status);
  if (event->ms >= 0)
    cli_duration(took, (uint64_t)event->ms);
  printf("%s.%03d %7d %-12.12s %s%-14.14s%s %3s %8s  ", clock ? clock + 1 : "?",
         (int)(event->time_us / 1000 % 1000), (int)event->pid, cli_program_of(event->pid, program),
         cli_style(style_of(event->name)), event->name, cli_style(CLI_PLAIN), status, took);
  /* Nearly every call is a POST, so that only another method is said. */
  bool post = !*event->method || strcmp(event->method, "POST") == 0;
  if (asprintf(&rest, "%s%s%s%s%s%s%s%s%s%s", post ? "" : event->method, post ? "" : " ",
               *event->origin ? cli_host_of(event->origin, host) : "", event->path,
               *event->origin && *event->id ? "  " : "", event->id, *event->via ? "  " : "", event->via,
               *event->reason && *event->origin ? "  " : "", event->reason) >= 0)
    /* Where less than twenty columns are left, nothing is cut: a line that wraps says more. */
    cli_put_line(stdout, rest, strlen(rest),
                 columns == CLI_UNCUT || columns < BEFORE_CALL + 20 ? CLI_UNCUT : columns - BEFORE_CALL);
  putchar('\n');
  free(rest);
}

/* The line as it is in the log. */
static void put(const struct cli_options *options, const struct cli_log *log, const struct cli_event *event)
{
  if (!options->json) {
    print_event(event);
    return;
  }
  /* From the document and not from the file, so that each is one line whatever is in it. */
  cli_print_json_line(json_incref(log->document));
}

/* Where the last of the events that are there begins is known when all were read; so
 * they are counted first. */
static uint64_t count_events(const struct cli_options *options)
{
  struct cli_log log;
  struct cli_event event;
  uint64_t count = 0;
  if (cli_log_open(&log, options, BEFORE, true) == CLI_OK)
    while (cli_log_next(&log, &event))
      count++;
  cli_log_close(&log);
  return count;
}

/* Comes back with --once, where there is no log, and when nobody reads what it writes. */
static int tail(const struct cli_options *options, int argc, char **argv)
{
  struct cli_log log;
  struct cli_event event;
  uint64_t limit = options->limit ? options->limit : LINES_USUAL, count = count_events(options), seen = 0;
  (void)argc, (void)argv;
  int code = cli_log_open(&log, options, BEFORE, false);
  while (code == CLI_OK) {
    while (cli_log_next(&log, &event))
      /* Those that have come since they were counted are shown, too. */
      if (seen++ + limit >= count)
        put(options, &log, &event);
    fflush(stdout);
    /* A pipe whose reader has gone ends it. */
    if (options->once || ferror(stdout))
      break;
    nanosleep(&(struct timespec){.tv_nsec = EACH_MS * 1000000}, NULL);
  }
  cli_log_close(&log);
  return code;
}

const struct cli_command cli_command_tail = {
    .name = "tail",
    .operands = "",
    .summary = "events as they come: what was answered, sent, stored, and why not",
    .details = "Reads the log that IDEMSHIM_LOG names, and goes on where it is rotated. With --json, its "
               "lines as they are.",
    .options = CLI_OPTIONS(CLI_OPTION("log", "FILE", CLI_TEXT, log, "the log (default: IDEMSHIM_LOG)"),
                           CLI_OPTION("limit", "N", CLI_COUNT, limit, "begin with the last N (default: 20)"),
                           CLI_OPTION("once", NULL, CLI_FLAG, once, "do not wait for more"), CLI_OPTION_JSON),
    .run = tail,
};
