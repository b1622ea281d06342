/* SPDX-License-Identifier: MIT */
#include "cli/message.h"
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

/* All bodies together, in a page that a phone still opens. */
enum { BODIES_MOST = 8 << 20, BODY_LEAST = 400, BODY_MOST = 64 << 10 };

/* The lane's index; a new one at the end. -1 without memory. */
static int find_lane(struct report *report, const struct tape_record *record)
{
  for (size_t i = report->lane_count; i-- > 0;)
    if (report->lanes[i].process == record->process && report->lanes[i].lane == record->call.lane)
      return (int)i;
  struct report_lane *lanes = reallocarray(report->lanes, report->lane_count + 1, sizeof(*lanes));
  if (!lanes)
    return -1;
  report->lanes = lanes;
  lanes[report->lane_count] =
      (struct report_lane){.process = record->process, .lane = record->call.lane, .pid = record->call.pid};
  return (int)report->lane_count++;
}

static int64_t bounded(uint64_t us)
{
  const uint64_t most = INT64_C(366) * 86400 * 1000000;
  return (int64_t)(us < most ? us : most);
}

static int visit(void *arg, const struct tape_record *record)
{
  struct report *report = arg;
  const struct tape_outcome *outcome = &record->outcome;
  int lane = find_lane(report, record);
  if (lane < 0)
    return cli_fail(CLI_STORE, "out of memory");
  if (!report->count)
    report->began_us = record->call.started_us;
  int64_t start = record->call.started_us - report->began_us, took = bounded(record->call.duration_us);
  int64_t first = outcome->first_byte_us < 0 || outcome->first_byte_us > took ? took : outcome->first_byte_us;
  struct report_call *call = &report->calls[report->count++];
  *call = (struct report_call){.number = record->number,
                               .start_us = start,
                               .end_us = start + took,
                               .first_us = start + first,
                               .body_len = outcome->body_len,
                               .usage = cli_tape_usage(record),
                               .curl_code = outcome->curl_code,
                               .lane = (uint32_t)lane,
                               .status = outcome->status,
                               .what = (uint8_t)record->call.what,
                               .failed = cli_tape_failed(record),
                               .stream = cli_tape_is_stream(record)};
  memcpy(call->id, record->call.id, sizeof(call->id));
  return CLI_OK;
}

/* Attempts. */

static int by_id(const void *a, const void *b)
{
  const struct report_call *x = *(struct report_call *const *)a, *y = *(struct report_call *const *)b;
  int order = strcmp(x->id, y->id);
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
  for (size_t i = 1; i < report->count; i++) {
    struct report_call *before = sorted[i - 1], *after = sorted[i];
    if (!*after->id || strcmp(before->id, after->id) != 0 || !before->failed || after->what == TAPE_RESCUE)
      continue;
    before->next = after->number;
    after->previous = before->number;
  }
  free(sorted);
  return true;
}

/* Lanes. */

static int by_place(const void *a, const void *b)
{
  const struct report_lane *x = a, *y = b;
  if (x->process != y->process)
    return x->process < y->process ? -1 : 1;
  return (x->lane > y->lane) - (x->lane < y->lane);
}

/* By number instead of by appearance. */
static bool sort_lanes(struct report *report)
{
  uint32_t *place = calloc(report->lane_count + 1, sizeof(*place));
  struct report_lane *was = calloc(report->lane_count + 1, sizeof(*was));
  if (place && was && report->lane_count) {
    memcpy(was, report->lanes, report->lane_count * sizeof(*was));
    qsort(report->lanes, report->lane_count, sizeof(*was), by_place);
    for (size_t i = 0; i < report->lane_count; i++)
      place[i] = (uint32_t)((struct report_lane *)bsearch(&was[i], report->lanes, report->lane_count,
                                                          sizeof(*was), by_place) -
                            report->lanes);
    for (size_t i = 0; i < report->count; i++)
      report->calls[i].lane = place[report->calls[i].lane];
  }
  bool done = place && was;
  free(place);
  free(was);
  return done;
}

int report_read(struct report *report)
{
  uint64_t count = tape_totals(report->tape).exchanges;
  report->calls = calloc(count + 1, sizeof(*report->calls));
  if (!report->calls)
    return cli_fail(CLI_STORE, "out of memory");
  int code = cli_tape_each(report->tape, "tape report, reading", true, visit, report);
  size_t shown = report->count ? BODIES_MOST / 2 / report->count : 0;
  report->body_shown = shown < BODY_LEAST ? BODY_LEAST : shown > BODY_MOST ? BODY_MOST : shown;
  if (code <= CLI_NO && !(join_attempts(report) && sort_lanes(report)))
    code = cli_fail(CLI_STORE, "out of memory");
  return code;
}
