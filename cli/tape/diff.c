/* SPDX-License-Identifier: MIT */
/* `tape diff`: pairs the exchanges of two tapes (pair.h) and says of each pair the first thing
 * that differs. Times and headers are left out, as they always differ. */
#include "cli/output/json.h"
#include "cli/output/output.h"
#include "cli/output/text.h"
#include "cli/tape/pair.h"
#include "cli/tape/tape.h"
#include "cli/view/curl_names.h"
#include "cli/view/exchange.h"
#include "config/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The longest text of one difference. */
enum { DIFFERENCE = 600 };

/* Two of each: [0] is the first DIR. `record` holds the one of the second tape while a pair is
 * compared. */
struct comparison {
  struct tape *tape[2];
  const char *const *origins; /* --map-origin */
  struct cli_pair_side side[2];
  struct tape_record record[2];
  json_t *list; /* NULL: text */
  size_t same, differ, only[2];
};

/* How two bodies differ, in words; "" if they do not. All else is equal. */
static void say_bodies(struct idem_span a, struct idem_span b, char *out, size_t size)
{
  struct idem_span nothing = {"", 0};
  /* Requests of nothing but a body, so that what is found to differ can only be there. */
  struct idem_answer x = {.method = nothing,
                          .origin = nothing,
                          .path = nothing,
                          .query = nothing,
                          .scope = nothing,
                          .request_headers = nothing,
                          .request_body = a};
  struct idem_answer y = x;
  /* The keys must differ, or they would be one operation, whatever the bodies are. */
  x.key[0] = 1;
  y.request_body = b;
  idem_store_compare(&x, &y, out, size);
}

/* How an exchange ended: "OPERATION_TIMEDOUT" or "status 200". */
static const char *ending(const struct tape_record *record, char text[32])
{
  if (record->outcome.curl_code)
    return cli_curl_error(record->outcome.curl_code);
  snprintf(text, 32, "status %u", record->outcome.status);
  return text;
}

/* The first that differs: how it ended, what was asked, what was answered, what the shim did. */
static void say_difference(const struct tape_record *a, const struct tape_record *b, char out[DIFFERENCE])
{
  char x[32], y[32], bodies[500] = "";
  const struct tape_outcome *first = &a->outcome, *second = &b->outcome;
  if (!cli_same(a->request_body, b->request_body) &&
      /* Bodies may differ in what does not count, such as the order of members. */
      memcmp(a->call.fingerprint, b->call.fingerprint, IDEM_KEY_SIZE) != 0) {
    say_bodies(a->request_body, b->request_body, bodies, sizeof(bodies));
    snprintf(out, DIFFERENCE, "request: %s", bodies);
  } else if (first->curl_code != second->curl_code || first->status != second->status) {
    snprintf(out, DIFFERENCE, "ended with %s / ", ending(a, x));
    snprintf(out + strlen(out), DIFFERENCE - strlen(out), "%s", ending(b, y));
  } else if (!cli_same(first->body, second->body)) {
    say_bodies(first->body, second->body, bodies, sizeof(bodies));
    snprintf(out, DIFFERENCE, "answer: %s", bodies);
  } else if (a->call.what != b->call.what) {
    snprintf(out, DIFFERENCE, "%s / %s", tape_what_name(a->call.what), tape_what_name(b->call.what));
  }
}

/* Output. */

/* A line of the output: the numbers on both sides, 0 where there is none, and what differs. */
static void tell(struct comparison *c, uint64_t a, uint64_t b, const char *text)
{
  char x[24], y[24];
  if (c->list) {
    json_array_append_new(c->list,
                          json_pack("{s:o, s:o, s:o}", "a", a ? json_integer((json_int_t)a) : json_null(),
                                    "b", b ? json_integer((json_int_t)b) : json_null(), "difference",
                                    cli_json_string(text)));
    return;
  }
  snprintf(x, sizeof(x), a ? "%" PRIu64 : "-", a);
  snprintf(y, sizeof(y), b ? "%" PRIu64 : "-", b);
  printf("%6s %6s  ", x, y);
  cli_put_line(stdout, text, strlen(text), CLI_UNCUT);
  putchar('\n');
}

/* The URL says which call it is, since there is no partner to compare it with. */
static void tell_only(struct comparison *c, int side, const struct tape_record *record)
{
  struct idem_answer view = cli_record_view(record);
  char *call = cli_call_text(&view, CLI_CALL_SHORT), *text = NULL;
  c->only[side]++;
  if (call && asprintf(&text, "only in the %s: %s", side ? "second" : "first", call) >= 0) {
    tell(c, side ? 0 : record->number, side ? record->number : 0, text);
    free(text);
  }
  free(call);
}

/* Comparing. */

/* An exchange that cannot be read is told, and the comparison goes on. */
static int compare(struct comparison *c, const struct tape_record *a, uint64_t partner)
{
  char text[DIFFERENCE] = "";
  struct idem_error error = {""};
  if (tape_read(c->tape[1], partner, &c->record[1], &error) < 0)
    return cli_fail(CLI_NO, "%s", error.text);
  say_difference(a, &c->record[1], text);
  if (*text)
    tell(c, a->number, partner, text);
  c->differ += *text != '\0';
  c->same += *text == '\0';
  return CLI_OK;
}

/* Every exchange of the first tape, in order, and its partner. */
static int visit_first(void *arg, const struct tape_record *record)
{
  struct comparison *c = arg;
  /* Numbers count from 1, and the lists from 0. */
  uint64_t partner = c->side[0].item[record->number - 1].partner;
  if (partner)
    return compare(c, record, partner);
  tell_only(c, 0, record);
  return CLI_OK;
}

/* What only the second tape has. */
static int visit_second(void *arg, const struct tape_record *record)
{
  struct comparison *c = arg;
  if (!c->side[1].item[record->number - 1].partner)
    tell_only(c, 1, record);
  return CLI_OK;
}

/* Exits 1 if anything differs, as diff(1) does. */
static int print_summary(struct comparison *c)
{
  bool equal = !(c->differ + c->only[0] + c->only[1]);
  if (c->list) {
    int code = cli_print_json(json_pack("{s:I, s:I, s:I, s:I, s:O}", "same", (json_int_t)c->same, "differ",
                                        (json_int_t)c->differ, "only_in_first", (json_int_t)c->only[0],
                                        "only_in_second", (json_int_t)c->only[1], "differences", c->list));
    return code == CLI_OK && !equal ? CLI_NO : code;
  }
  printf("%zu the same, %zu %s, %zu only in the first, %zu only in the second\n", c->same, c->differ,
         idem_word(c->differ, "differs", "differ"), c->only[0], c->only[1]);
  return equal ? CLI_OK : CLI_NO;
}

/* Both tapes are read once for their names before anything is compared. */
static int diff(struct comparison *c)
{
  int code = cli_pair_read(c->tape[0], c->origins, &c->side[0]);
  if (code == CLI_OK)
    code = cli_pair_read(c->tape[1], c->origins, &c->side[1]);
  if (code == CLI_OK && !cli_pair(&c->side[0], &c->side[1]))
    code = cli_fail(CLI_STORE, "out of memory");
  if (code != CLI_OK)
    return code;
  int first = cli_tape_each(c->tape[0], NULL, true, visit_first, c);
  /* Without headers and bodies: what has no partner is only named. */
  int second = cli_tape_each(c->tape[1], NULL, false, visit_second, c);
  code = print_summary(c);
  /* The graver one: what could not be read is more than a difference. */
  return first > code ? first : second > code ? second : code;
}

/* Two tapes, so they are opened here and not by dispatch. */
static int run(const struct cli_options *options, int argc, char **argv)
{
  (void)argc;
  struct comparison c = {.origins = options->origins, .list = options->json ? json_array() : NULL};
  int code = cli_check_origins(options->origins);
  if (code == CLI_OK)
    code = cli_tape_open(options, argv[0], &c.tape[0]);
  if (code == CLI_OK)
    code = cli_tape_open(options, argv[1], &c.tape[1]);
  if (code == CLI_OK)
    code = diff(&c);
  /* Everything is zero from the start, so what was not reached is released as well. */
  for (int i = 0; i < 2; i++) {
    free(c.side[i].item);
    tape_record_release(&c.record[i]);
    tape_close(c.tape[i]);
  }
  json_decref(c.list);
  return code;
}

const struct cli_command cli_tape_diff = {
    .name = "tape diff",
    .operands = "DIR DIR",
    .summary = "which exchanges of two runs differ, and where first",
    .details = "The n-th call of a name in the first run is compared with the n-th of that name in the "
               "second; what is\n"
               "left over, with the next call of its URL. Headers and times do not count.\n"
               "Exits 0 if nothing differs, 1 if something does.",
    .options = CLI_OPTIONS(
        CLI_OPTION_JSON,
        CLI_OPTION("map-origin", "FROM=TO", CLI_LIST, origins, "calls to TO are those to FROM; repeatable"),
        CLI_OPTION_OUTPUT, CLI_OPTION_KEY),
    .min_operands = 2,
    .max_operands = 2,
    .run = run,
};
