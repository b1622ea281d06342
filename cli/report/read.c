/* SPDX-License-Identifier: MIT */
/* The first reading: what the picture and the sums need of each exchange, and how long the bodies
 * of the page may be. */
#include "cli/output/output.h"
#include "cli/report/report.h"
#include "cli/tape/attempts.h"
#include "cli/view/exchange.h"
#include "cli/view/prompt.h"
#include "store/records/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* All bodies together, in a page that a phone still opens. */
enum { BODIES_MOST = 8 << 20, BODY_LEAST = 240, BODY_MOST = 64 << 10 };

/* A damaged or hostile tape may say anything of a time; the picture has to be able to add them. */
static int64_t bounded(int64_t us)
{
  const int64_t most = INT64_C(366) * 86400 * 1000000;
  return us > most ? most : us < -most ? -most : us;
}

/* When the same was last asked: a prompt cache lives from then on. */
static int64_t since_last(const struct report *report, const struct report_call *call)
{
  /* Backwards, from the one before this call, which is in the list already. */
  for (size_t i = report->count - 1; i-- > 0;)
    if (strcmp(report->calls[i].operation, call->operation) == 0)
      return call->start_us - report->calls[i].start_us;
  return INT64_MAX;
}

/* Of a replay, what it would have cost to ask again then. */
static void price(struct report *report, struct report_call *call, const struct tape_record *record)
{
  struct cli_reply reply;
  char *asked = cli_model(record->path, record->request_body);
  bool replayed = call->what == TAPE_HIT || call->what == TAPE_JOIN;
  cli_reply_read(&reply, record->outcome.headers, record->outcome.body, record->outcome.encoded);
  const char *model = asked && *asked ? asked : reply.model ? reply.model : "";
  struct cli_tokens_used used =
      replayed ? cli_tokens_of_repeat(&reply, since_last(report, call)) : cli_tokens_used(&reply);
  struct cli_money_row *row = cli_money_row(&report->money, model);
  /* What has failed and tells no usage has cost nothing; an answer without one has a price that is not
   * known. */
  bool told = call->usage.input >= 0 || call->usage.output >= 0;
  if (told || !call->failed) {
    call->usd = told ? cli_price(report->prices, model, &used) : -1;
    row->calls++;
    row->unpriced += call->usd < 0;
    *(replayed ? &row->saved : &row->paid) += call->usd > 0 ? call->usd : 0;
    row->given_up += call->what == TAPE_RESCUE && call->usd > 0 ? call->usd : 0;
    call->row_of_money = row;
  }
  cli_reply_release(&reply);
  free(asked);
}

/* A stream may have told its tokens before the app gave it up, and its rescue, which comes later, tells them
 * all: upstream is paid once. */
static void count_once(struct report *report, const struct report_call *rescue)
{
  struct report_call *call = NULL;
  for (size_t i = report->count; i-- > 0 && !call;) {
    struct report_call *at = &report->calls[i];
    if (at->what == TAPE_LIVE && at->failed && at->sequence == rescue->sequence &&
        at->process_us == rescue->process_us)
      call = at;
  }
  if (!call || call->rescued)
    return;
  call->rescued = true;
  if (!call->row_of_money)
    return;
  call->row_of_money->calls--;
  call->row_of_money->unpriced -= call->usd < 0;
  call->row_of_money->paid -= call->usd > 0 ? call->usd : 0;
}

/* Exchanges come in the order of the tape, so the first one is the beginning of the run. */
static int visit(void *arg, const struct tape_record *record)
{
  struct report *report = arg;
  const struct tape_outcome *outcome = &record->outcome;
  int lane = report_lane_of(report, record);
  if (lane < 0)
    return cli_fail(CLI_STORE, "out of memory");
  /* Of the first one on the tape, which need not be the first that began: others may begin before 0. */
  if (!report->count)
    report->began_us = record->call.started_us;
  int64_t start, took = record->call.duration_us > INT64_MAX ? INT64_MAX : (int64_t)record->call.duration_us;
  if (__builtin_sub_overflow(record->call.started_us, report->began_us, &start))
    start = 0;
  start = bounded(start), took = bounded(took);
  /* None came, or it came after the end, as a damaged record may say. */
  int64_t first = outcome->first_byte_us < 0 || outcome->first_byte_us > took ? took : outcome->first_byte_us;
  struct report_call *call = &report->calls[report->count++];
  *call = (struct report_call){.number = record->number,
                               .start_us = start,
                               .end_us = start + took,
                               .first_us = start + first,
                               .body_len = outcome->body_len,
                               .usage = cli_record_usage(record),
                               .curl_code = outcome->curl_code,
                               .lane = (uint32_t)lane,
                               .status = outcome->status,
                               .what = (uint8_t)record->call.what,
                               .failed = cli_record_failed(record),
                               .usd = -1,
                               .process_us = record->call.process_us,
                               .sequence = record->call.sequence,
                               .no_answer = outcome->no_answer,
                               .stream = cli_is_event_stream(record->outcome.headers)};
  memcpy(call->id, record->call.id, sizeof(call->id));
  char name[IDEM_ID_SIZE];
  record_id(record->call.key, name);
  /* A tape that was recorded without a store has no ids: the name and the number of its content are as
   * good. */
  if (*call->id)
    memcpy(call->operation, call->id, sizeof(call->id));
  else
    snprintf(call->operation, sizeof(call->operation), "%s %" PRIu16, name, (uint16_t)record->call.number);
  if (report->prices)
    price(report, call, record);
  if (call->what == TAPE_RESCUE)
    count_once(report, call);
  return CLI_OK;
}

/* Attempts. */

/* The order in which attempts of one operation are in a row. */
static int by_id(const void *a, const void *b)
{
  const struct report_call *x = *(struct report_call *const *)a, *y = *(struct report_call *const *)b;
  int order = strcmp(x->operation, y->operation);
  return order ? order : (x->number > y->number) - (x->number < y->number);
}

/* A call is another attempt if the one before it of the same operation failed; else it only asks the same
 * again. */
static bool join_attempts(struct report *report)
{
  struct report_call **sorted = calloc(report->count + 1, sizeof(struct report_call *));
  if (!sorted)
    return false;
  for (size_t i = 0; i < report->count; i++)
    sorted[i] = &report->calls[i];
  qsort(sorted, report->count, sizeof(*sorted), by_id);
  struct report_call *before = NULL;
  for (size_t i = 0; i < report->count; i++) {
    struct report_call *after = sorted[i];
    /* A rescue is the same attempt, which has gone on in the background. */
    if (after->what == TAPE_RESCUE)
      continue;
    if (before && before->failed && strcmp(before->operation, after->operation) == 0) {
      /* Numbers and no places in the list, for the page's anchors are made of them. */
      before->next = after->number;
      after->previous = before->number;
    }
    before = after;
  }
  free(sorted);
  return true;
}

/* The more exchanges a run has, the less of each body goes into the page, so that it can still be
 * opened. */
int report_read(struct report *report)
{
  uint64_t count = tape_totals(report->tape).exchanges;
  report->calls = calloc(count + 1, sizeof(*report->calls));
  if (!report->calls)
    return cli_fail(CLI_STORE, "out of memory");
  if (cli_attempts_read(report->tape, &report->good) != CLI_OK)
    return CLI_STORE;
  int code = cli_tape_each(report->tape, "tape report, reading", true, visit, report);
  /* Two bodies an exchange, the request's and the answer's. */
  size_t shown = report->count ? BODIES_MOST / 2 / report->count : 0;
  cli_money_finish(&report->money);
  report->body_shown = shown < BODY_LEAST ? BODY_LEAST : shown > BODY_MOST ? BODY_MOST : shown;
  if (code <= CLI_NO && !join_attempts(report))
    code = cli_fail(CLI_STORE, "out of memory");
  return code;
}
