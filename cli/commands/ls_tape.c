/* SPDX-License-Identifier: MIT */
#include "cli/output/json.h"
#include "cli/output/message.h"
#include "cli/output/output.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/tape/tape.h"
#include "cli/view/exchange_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void fill_cell(char cell[CLI_UNIT_SIZE], const struct tape_record *record);

static void number_cell(char cell[CLI_UNIT_SIZE], const struct tape_record *record)
{
  snprintf(cell, CLI_UNIT_SIZE, "%" PRIu64, record->number);
}

static void time_cell(char cell[CLI_UNIT_SIZE], const struct tape_record *record)
{
  char day[CLI_UNIT_SIZE];
  cli_time(day, record->call.started_us);
  snprintf(cell, CLI_UNIT_SIZE, "%.30s.%03u", day, (unsigned)(record->call.started_us / 1000 % 1000));
}

/* Process and thread. */
static void lane_cell(char cell[CLI_UNIT_SIZE], const struct tape_record *record)
{
  snprintf(cell, CLI_UNIT_SIZE, "%" PRIu32 ".%" PRIu32, record->process, record->call.lane);
}

static void what_cell(char cell[CLI_UNIT_SIZE], const struct tape_record *record)
{
  strcpy(cell, tape_what_name(record->call.what));
}

static void status_cell(char cell[CLI_UNIT_SIZE], const struct tape_record *record)
{
  snprintf(cell, CLI_UNIT_SIZE, record->outcome.status ? "%u" : "-", record->outcome.status);
}

static void wait_cell(char cell[CLI_UNIT_SIZE], const struct tape_record *record)
{
  if (record->outcome.first_byte_us < 0)
    strcpy(cell, "-");
  else
    cli_duration(cell, (uint64_t)record->outcome.first_byte_us / 1000);
}

static void took_cell(char cell[CLI_UNIT_SIZE], const struct tape_record *record)
{
  cli_duration(cell, record->call.duration_us / 1000);
}

static void size_cell(char cell[CLI_UNIT_SIZE], const struct tape_record *record)
{
  cli_bytes(cell, record->outcome.body_len);
}

/* A negative width is for text, which begins at the left. */
static const struct column {
  const char *title;
  int width;
  bool wide_only;
  fill_cell *fill;
} table[] = {
    {"N", 6, false, number_cell},   {"TIME", -23, true, time_cell},    {"LANE", 5, false, lane_cell},
    {"WHAT", -6, false, what_cell}, {"STATUS", 6, false, status_cell}, {"WAIT", 7, true, wait_cell},
    {"TOOK", 7, false, took_cell},  {"SIZE", 9, false, size_cell},
};

#define COLUMN_COUNT (sizeof(table) / sizeof(table[0]))

enum { NARROW = 110, BETWEEN = 2, LEAST = 12 };

struct listing {
  bool json;
  size_t columns;
  uint64_t from, printed;
};

static bool is_shown(const struct column *column, size_t columns)
{
  return !column->wide_only || columns >= NARROW;
}

static size_t room_left(size_t columns)
{
  size_t used = 0;
  for (size_t i = 0; i < COLUMN_COUNT; i++)
    used += is_shown(&table[i], columns) ? (size_t)abs(table[i].width) + BETWEEN : 0;
  if (columns == CLI_UNCUT)
    return CLI_UNCUT;
  return columns > used + LEAST ? columns - used : LEAST;
}

/* What went wrong stands behind the call, since libcurl's words for it are long. */
static void put_call(const struct tape_record *record, size_t room)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return;
  if (record->outcome.curl_code)
    fprintf(out, "%s  ", cli_curl_error(record->outcome.curl_code));
  cli_tape_put_short_url(out, record);
  if (fclose(out) == 0)
    cli_put_line(stdout, text, size, room);
  free(text);
}

static int print_row(const struct listing *listing, const struct tape_record *record)
{
  fputs(cli_tape_failed(record)            ? cli_style(CLI_RED)
        : record->call.what == TAPE_RESCUE ? cli_style(CLI_DIM)
                                           : "",
        stdout);
  for (size_t i = 0; i < COLUMN_COUNT; i++) {
    char cell[CLI_UNIT_SIZE];
    if (!is_shown(&table[i], listing->columns))
      continue;
    table[i].fill(cell, record);
    printf("%*s%*s", table[i].width, cell, BETWEEN, "");
  }
  put_call(record, room_left(listing->columns));
  puts(cli_style(CLI_PLAIN));
  return CLI_OK;
}

static int print_json(struct listing *listing, const struct tape_record *record)
{
  json_t *document = cli_tape_json(record);
  char *text = json_dumps(document, cli_json_flags());
  json_decref(document);
  if (!text)
    return cli_fail(CLI_STORE, "out of memory");
  printf("%s%s", listing->printed++ ? ",\n" : "\n", text);
  free(text);
  return CLI_OK;
}

static int visit(void *arg, const struct tape_record *record)
{
  struct listing *listing = arg;
  if (record->number < listing->from)
    return CLI_OK;
  return listing->json ? print_json(listing, record) : print_row(listing, record);
}

static void print_heading(size_t columns)
{
  fputs(cli_style(CLI_BOLD), stdout);
  for (size_t i = 0; i < COLUMN_COUNT; i++)
    if (is_shown(&table[i], columns))
      printf("%*s%*s", table[i].width, table[i].title, BETWEEN, "");
  printf("CALL%s\n", cli_style(CLI_PLAIN));
}

static int run(const struct cli_options *options, int argc, char **argv)
{
  (void)argc;
  struct tape *tape;
  struct listing listing = {.json = options->json, .columns = cli_columns()};
  int code = cli_tape_open(options, argv[0], &tape);
  if (code != CLI_OK)
    return code;
  uint64_t count = tape_totals(tape).exchanges;
  listing.from = options->limit && options->limit < count ? count - options->limit + 1 : 1;
  if (listing.json)
    putchar('[');
  else
    print_heading(listing.columns);
  code = cli_tape_each(tape, NULL, false, visit, &listing);
  if (listing.json)
    fputs(listing.printed ? "\n]\n" : "]\n", stdout);
  tape_close(tape);
  return code;
}

static const struct cli_option options_table[] = {
    CLI_OPTION("limit", "N", CLI_COUNT, limit, "only the last N"),
    CLI_OPTION_JSON,
    CLI_OPTION_KEY,
    CLI_OPTION_END,
};

const struct cli_command cli_tape_ls = {
    .name = "tape ls",
    .operands = "DIR",
    .summary = "list the exchanges of a run in their order",
    .details = "LANE is the process and its thread, each by order of appearance. WAIT is the time to the "
               "first byte.\n"
               "A call that failed has libcurl's name for it before its URL.",
    .options = options_table,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
