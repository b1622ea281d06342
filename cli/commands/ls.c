/* SPDX-License-Identifier: MIT */
/*
 * `ls` and `tape ls`: one line for each exchange, in columns for people or as a JSON array. Both are a table
 * of columns and a function that fills a cell; what does not fit a terminal is left out by column, and the
 * last one takes what room there is. Lines are printed as they are read, so that a store of any size can be
 * listed.
 */
#include "cli/commands/durable.h"
#include "cli/output/json.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/tape/attempts.h"
#include "cli/tape/tape.h"
#include "cli/view/curl_names.h"
#include "cli/view/exchange.h"
#include "cli/view/prompt.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A negative width is for text, which begins at the left. */
struct column {
  const char *title;
  int width;
  bool wide_only;
};

/* One list: its table, and how far it is. */
struct listing {
  const struct cli_options *options;
  const struct column *column;
  size_t column_count;
  const char *last; /* the title of what stands behind the columns */
  size_t narrow;    /* below so many columns of the terminal, those for wide ones are left out */
  size_t columns;   /* of the terminal */
  int64_t now_us;
  uint64_t printed;
  /* ls --limit reads from the newest on, and keeps what it prints last first; tape ls knows
   * from where on it prints. */
  char **kept;
  uint64_t room, seen, from;
  const struct tape *tape;
  struct tape_record whole;
  uint64_t *good; /* by which exchange a failed one was made good */
  char *above;    /* the call of the line above, on a terminal */
};

/* What a visit ends with when --limit has its lines; no exit code is that. */
enum { ENOUGH = 256 };

/* Between two columns, and what the last one has at least. */
enum { BETWEEN = 2, LEAST = 12 };

/* Columns that a narrow terminal can spare are left out. A pipe has all of them. */
static bool is_shown(const struct listing *listing, size_t i)
{
  return !listing->column[i].wide_only || listing->columns >= listing->narrow;
}

/* What the columns leave to the last one; CLI_UNCUT without a terminal. */
static size_t room_left(const struct listing *listing)
{
  size_t used = 0;
  for (size_t i = 0; i < listing->column_count; i++)
    used += is_shown(listing, i) ? (size_t)abs(listing->column[i].width) + BETWEEN : 0;
  if (listing->columns == CLI_UNCUT)
    return CLI_UNCUT;
  return listing->columns > used + LEAST ? listing->columns - used : LEAST;
}

/* Padded to the column's width, with what stands between it and the next. */
static __attribute__((format(printf, 4, 5))) void put_cell(FILE *out, const struct listing *listing, size_t i,
                                                           const char *format, ...)
{
  char text[CLI_UNIT_SIZE];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  if (is_shown(listing, i))
    fprintf(out, "%*s%*s", listing->column[i].width, text, BETWEEN, "");
}

/* The heading, or the bracket of an array. It comes before the first line is known, so that a
 * list starts at once. */
static void begin(const struct listing *listing)
{
  if (listing->options->json) {
    putchar('[');
    return;
  }
  fputs(cli_style(CLI_BOLD), stdout);
  for (size_t i = 0; i < listing->column_count; i++)
    put_cell(stdout, listing, i, "%s", listing->column[i].title);
  printf("%s%s\n", listing->last, cli_style(CLI_PLAIN));
}

/* Closes the array; an empty one is [] on one line. One that is not whole stays open, so that no program
 * takes it for all. */
static void end(const struct listing *listing, bool whole)
{
  if (listing->options->json && whole)
    fputs(listing->printed ? "\n]\n" : "]\n", stdout);
}

/* Prints a line that was made, and frees it. */
static void print(struct listing *listing, char *text)
{
  bool json = listing->options->json;
  printf("%s%s%s", !json ? "" : listing->printed++ ? ",\n" : "\n", text, json ? "" : "\n");
  free(text);
}

/* The document as a line, which is freed. */
static char *json_line(json_t *document)
{
  char *text = json_dumps(document, cli_json_flags());
  json_decref(document);
  return text;
}

/* Answers. */

/* The columns of `ls`, in the order in which they stand. */
enum { ID, AGE, STATUS, KIND, SIZE, TOOK, TOKENS };

/* Those that a narrow terminal can spare are marked. */
static const struct column answer_columns[] = {
    [ID] = {"ID", -16, false},       [AGE] = {"AGE ", 5, false},  [STATUS] = {"STATUS", 6, true},
    [KIND] = {"KIND", -6, false},    [SIZE] = {"SIZE", 9, false}, [TOOK] = {"TOOK", 7, true},
    [TOKENS] = {"TOKENS", 11, true},
};

/* What stands behind the columns: the call, with at most half of the room; what was asked, and of whom.
 * Without a terminal it is whole, and the line ends somewhere all the same. */
static void put_call(FILE *out, const struct listing *listing, const char *call, struct idem_span path,
                     struct idem_span body)
{
  enum { LONGEST = 240 };
  char *prompt = cli_prompt(body), *model = cli_model(path, body);
  size_t room = room_left(listing), half = room / 2, used = 0;
  if (room == CLI_UNCUT)
    half = room = LONGEST;
  if (call)
    used = cli_put_line(out, call, strlen(call), half);
  if (model && *model && room > used + 2) {
    fputs(used ? "  " : "", out);
    used += used ? 2 : 0;
    used += cli_put_line(out, model, strlen(model), room - used);
  }
  if (prompt && *prompt && room > used + 4) {
    fputs(used ? "  \"" : "\"", out);
    cli_put_line(out, prompt, strlen(prompt), room - used - 4);
    fputc('"', out);
  }
  free(prompt);
  free(model);
}

static void put_answer(FILE *out, const struct listing *listing, const struct idem_answer *answer)
{
  char cell[CLI_UNIT_SIZE], *call = cli_call_text(answer, CLI_CALL_SHORT);
  bool expired = cli_answer_expired(answer, listing->now_us);
  uint64_t age_us = listing->now_us > answer->stored_us ? (uint64_t)(listing->now_us - answer->stored_us) : 0;
  struct cli_tokens tokens = cli_tokens(&answer->usage, "-");
  fputs(expired ? cli_style(CLI_DIM) : "", out);
  put_cell(out, listing, ID, "%s", answer->id);
  put_cell(out, listing, AGE, "%s%s", cli_age(cell, age_us), answer->is_old ? "-" : expired ? "!" : " ");
  put_cell(out, listing, STATUS, "%u", answer->status);
  put_cell(out, listing, KIND, "%s", cli_answer_kind(answer));
  put_cell(out, listing, SIZE, "%s", cli_bytes(cell, answer->body.len));
  put_cell(out, listing, TOOK, "%s", cli_duration(cell, answer->duration_ms));
  if (answer->usage.input < 0 && answer->usage.output < 0)
    put_cell(out, listing, TOKENS, "-");
  else
    put_cell(out, listing, TOKENS, "%.16s+%.16s", tokens.input, tokens.output);
  put_call(out, listing, call, answer->path, answer->request_body);
  fputs(cli_style(CLI_PLAIN), out);
  free(call);
}

/* NULL without memory. Made in memory, since --limit may keep it. */
static char *answer_line(const struct listing *listing, const struct idem_answer *answer)
{
  char *text = NULL;
  size_t size = 0;
  if (listing->options->json)
    return json_line(cli_answer_json(answer, listing->now_us));
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return NULL;
  put_answer(out, listing, answer);
  fclose(out);
  return text;
}

/* Keeps a line, up to the last that --limit wants. */
static int keep(struct listing *listing, char *text)
{
  if (listing->seen == listing->room) {
    uint64_t room = listing->room ? 2 * listing->room : 64;
    char **kept = reallocarray(listing->kept, room, sizeof(*kept));
    if (!kept) {
      free(text);
      return cli_fail(CLI_STORE, "out of memory; try a smaller --limit");
    }
    listing->kept = kept;
    listing->room = room;
  }
  listing->kept[listing->seen++] = text;
  return listing->seen == listing->options->limit ? ENOUGH : CLI_OK;
}

/* The oldest first, but for --limit. */
static int visit_answer(void *arg, const struct idem_answer *answer)
{
  struct listing *listing = arg;
  if (!listing->options->all && cli_answer_expired(answer, listing->now_us))
    return CLI_OK;
  char *text = answer_line(listing, answer);
  if (!text)
    return cli_fail(CLI_STORE, "out of memory; try --limit");
  if (listing->options->limit)
    return keep(listing, text);
  print(listing, text);
  return CLI_OK;
}

/* The newest stands last, with --limit too. */
static int list_answers(const struct cli_options *options, struct idem_store *store, char **operands)
{
  struct listing listing = {.options = options,
                            .column = answer_columns,
                            .column_count = sizeof(answer_columns) / sizeof(*answer_columns),
                            .last = "CALL, MODEL AND PROMPT",
                            .narrow = 120,
                            .columns = cli_columns(),
                            .now_us = cli_now_us()};
  struct idem_error error = {""};
  (void)operands;
  if (options->runs)
    return cli_runs_list(options, store);
  begin(&listing);
  int result = idem_store_each(store, options->limit ? IDEM_NEWEST_FIRST : IDEM_OLDEST_FIRST, visit_answer,
                               &listing, &error);
  while (listing.seen)
    print(&listing, listing.kept[--listing.seen]);
  free(listing.kept);
  end(&listing, result == 0 || result == ENOUGH);
  return result < 0 ? cli_fail(CLI_STORE, "%s", error.text) : result == ENOUGH ? CLI_OK : result;
}

const struct cli_command cli_command_ls = {
    .name = "ls",
    .operands = "",
    .summary = "list the answers in the store, the newest last",
    .options =
        CLI_OPTIONS(CLI_OPTION("all", NULL, CLI_FLAG, all, "expired answers too, marked with \"!\""),
                    CLI_OPTION("runs", NULL, CLI_FLAG, runs, "durable runs that are not finished, instead"),
                    CLI_OPTION("limit", "N", CLI_COUNT, limit, "only the newest N"), CLI_OPTION_JSON,
                    CLI_OPTION_OUTPUT, CLI_OPTION_STORE),
    .only_reads = true,
    .on_store = list_answers,
};

/* Records. */

/* The columns of `tape ls`. Names of the other table are taken, so three are called otherwise. */
enum { NUMBER, TIME, LANE, WHAT, OUTCOME, WAIT, TOTAL, BYTES };

/* STATUS is shown on any terminal here: on a bad day it is what one looks for. */
static const struct column record_columns[] = {
    [NUMBER] = {"N", 6, false},   [TIME] = {"TIME", -23, true},     [LANE] = {"LANE", 5, false},
    [WHAT] = {"WHAT", -6, false}, [OUTCOME] = {"STATUS", 6, false}, [WAIT] = {"WAIT", 7, true},
    [TOTAL] = {"TOOK", 7, false}, [BYTES] = {"SIZE", 9, false},
};

/* "-" where there was nothing. libcurl's name for what went wrong stands before the call, which on a terminal
 * is left out where it is that of the line above: of two hundred calls to one URL it is the prompts that one
 * looks at. */
static void print_record(struct listing *listing, const struct tape_record *record)
{
  const struct tape_outcome *outcome = &record->outcome;
  struct idem_answer view = cli_record_view(record);
  char cell[CLI_UNIT_SIZE], *call = cli_call_text(&view, CLI_CALL_SHORT), *text = NULL;
  bool again = call && listing->above && strcmp(call, listing->above) == 0;
  char why[120] = "", good[40] = "";
  if (outcome->curl_code)
    snprintf(why, sizeof(why), "%s", cli_curl_error(outcome->curl_code));
  else if (outcome->no_answer)
    snprintf(why, sizeof(why), "%.*s", (int)outcome->error_text.len, outcome->error_text.data);
  if (listing->good[record->number - 1])
    snprintf(good, sizeof(good), "%s(made good by %" PRIu64 ")", *why ? " " : "",
             listing->good[record->number - 1]);
  fputs(cli_record_failed(record)          ? cli_style(CLI_RED)
        : record->call.what == TAPE_RESCUE ? cli_style(CLI_DIM)
                                           : "",
        stdout);
  put_cell(stdout, listing, NUMBER, "%" PRIu64, record->number);
  put_cell(stdout, listing, TIME, "%.30s.%03u", cli_time(cell, record->call.started_us),
           (unsigned)(record->call.started_us / 1000 % 1000));
  put_cell(stdout, listing, LANE, "%" PRIu32 ".%" PRIu32, record->process, record->call.lane);
  put_cell(stdout, listing, WHAT, "%s", tape_what_name(record->call.what));
  put_cell(stdout, listing, OUTCOME, outcome->status ? "%u" : "-", outcome->status);
  put_cell(stdout, listing, WAIT, "%s",
           outcome->first_byte_us < 0 ? "-" : cli_duration(cell, (uint64_t)outcome->first_byte_us / 1000));
  put_cell(stdout, listing, TOTAL, "%s", cli_duration(cell, record->call.duration_us / 1000));
  put_cell(stdout, listing, BYTES, "%s", cli_bytes(cell, outcome->body_len));
  if (call &&
      asprintf(&text, "%s%s%s%s", why, good, (*why || *good) && !again ? "  " : "", again ? "" : call) >= 0)
    put_call(stdout, listing, *text ? text : NULL, record->path, record->request_body);
  puts(cli_style(CLI_PLAIN));
  free(text);
  free(listing->above);
  listing->above = listing->columns == CLI_UNCUT ? NULL : call;
  if (!listing->above)
    free(call);
}

/* A tape is read in its order and knows its length, so nothing has to be kept. A body that cannot be read
 * leaves its line without a prompt. */
static int visit_record(void *arg, const struct tape_record *peeked)
{
  struct listing *listing = arg;
  struct idem_error error = {""};
  if (peeked->number < listing->from)
    return CLI_OK;
  const struct tape_record *record =
      tape_read(listing->tape, peeked->number, &listing->whole, &error) == 0 ? &listing->whole : peeked;
  if (!listing->options->json) {
    print_record(listing, record);
    return CLI_OK;
  }
  json_t *object = cli_record_json(record);
  uint64_t good = listing->good[record->number - 1];
  json_object_set_new(object, "made_good_by", good ? json_integer((json_int_t)good) : json_null());
  char *text = json_line(object);
  if (!text)
    return cli_fail(CLI_STORE, "out of memory");
  print(listing, text);
  return CLI_OK;
}

/* --limit is the last N, and how many there are is known before the first is read. */
static int list_records(const struct cli_options *options, const struct tape *tape, char **operands)
{
  struct listing listing = {.options = options,
                            .column = record_columns,
                            .column_count = sizeof(record_columns) / sizeof(*record_columns),
                            .last = "CALL, MODEL AND PROMPT",
                            .narrow = 140,
                            .tape = tape,
                            .columns = cli_columns()};
  uint64_t count = tape_totals(tape).exchanges;
  (void)operands;
  listing.from = options->limit && options->limit < count ? count - options->limit + 1 : 1;
  if (cli_attempts_read(tape, &listing.good) != CLI_OK)
    return CLI_STORE;
  begin(&listing);
  int code = cli_tape_each(tape, NULL, false, visit_record, &listing);
  free(listing.good);
  tape_record_release(&listing.whole);
  free(listing.above);
  end(&listing, code == CLI_OK);
  return code;
}

const struct cli_command cli_tape_ls = {
    .name = "tape ls",
    .operands = "DIR",
    .summary = "list the exchanges of a run in their order",
    .details = "LANE is the process and its thread, each by order of appearance. WAIT is the time to the "
               "first byte.\n"
               "A call that failed has libcurl's name for it before its URL.",
    .options = CLI_OPTIONS(CLI_OPTION("limit", "N", CLI_COUNT, limit, "only the last N"), CLI_OPTION_JSON,
                           CLI_OPTION_OUTPUT, CLI_OPTION_KEY),
    .min_operands = 1,
    .max_operands = 1,
    .on_tape = list_records,
};
