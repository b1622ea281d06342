/* SPDX-License-Identifier: MIT */
/* The lanes of the picture: one for each thread, as long as a person can still look at so many. */
#include "cli/report/report.h"

#include <stdlib.h>
#include <string.h>

/* With more threads than these, those that came one after the other share a lane: a script that starts curl
 * ten thousand times would have as many. */
enum { LANES_FEW = 24 };

/* From the newest backwards: exchanges of one thread often follow each other. */
int report_lane_of(struct report *report, const struct tape_record *record)
{
  for (size_t i = report->lane_count; i-- > 0;)
    if (report->lanes[i].process == record->process && report->lanes[i].lane == record->call.lane)
      return (int)i;
  struct report_lane *lanes = reallocarray(report->lanes, report->lane_count + 1, sizeof(*lanes));
  if (!lanes)
    return -1;
  report->lanes = lanes;
  lanes[report->lane_count] = (struct report_lane){
      .process = record->process, .lane = record->call.lane, .pid = record->call.pid, .threads = 1};
  return (int)report->lane_count++;
}

/* By process, then by thread. */
static int by_place(const void *a, const void *b)
{
  const struct report_lane *x = a, *y = b;
  if (x->process != y->process)
    return x->process < y->process ? -1 : 1;
  return (x->lane > y->lane) - (x->lane < y->lane);
}

/* Gives each call the place that its lane has now. */
static void move_calls(struct report *report, const uint32_t *place)
{
  for (size_t i = 0; i < report->count; i++)
    report->calls[i].lane = place[report->calls[i].lane];
}

/* By number instead of by appearance. */
static void sort(struct report *report, struct report_lane *was, uint32_t *place)
{
  size_t count = report->lane_count;
  memcpy(was, report->lanes, count * sizeof(*was));
  qsort(report->lanes, count, sizeof(*was), by_place);
  for (size_t i = 0; i < count; i++) {
    const struct report_lane *now = bsearch(&was[i], report->lanes, count, sizeof(*was), by_place);
    place[i] = (uint32_t)(now - report->lanes);
  }
  move_calls(report, place);
}

/* From when to when each thread has calls. */
static void measure(struct report *report)
{
  for (size_t i = 0; i < report->lane_count; i++)
    report->lanes[i].from_us = INT64_MAX, report->lanes[i].to_us = INT64_MIN;
  for (size_t i = 0; i < report->count; i++) {
    const struct report_call *call = &report->calls[i];
    struct report_lane *lane = &report->lanes[call->lane];
    lane->from_us = call->start_us < lane->from_us ? call->start_us : lane->from_us;
    lane->to_us = call->end_us > lane->to_us ? call->end_us : lane->to_us;
  }
}

/* Each takes the first lane that is free by then. A script that starts a program for each call
 * has a lane for each of them, all of them empty but for a moment. Laid into one another in the
 * order of time they look as the run was: so many at once. */
static void share(struct report *report, uint32_t *place)
{
  size_t kept = 0;
  for (size_t i = 0; i < report->lane_count; i++) {
    struct report_lane lane = report->lanes[i];
    size_t at = 0;
    while (at < kept && report->lanes[at].to_us > lane.from_us)
      at++;
    place[i] = (uint32_t)at;
    if (at == kept) {
      report->lanes[kept++] = lane;
      continue;
    }
    report->lanes[at].to_us = lane.to_us;
    report->lanes[at].threads++;
  }
  report->lane_count = kept;
  move_calls(report, place);
}

/* Sorts, and shares lanes where there are too many to look at. */
bool report_lanes(struct report *report)
{
  uint32_t *place = calloc(report->lane_count + 1, sizeof(*place));
  struct report_lane *was = calloc(report->lane_count + 1, sizeof(*was));
  if (place && was && report->lane_count)
    sort(report, was, place);
  if (place && report->lane_count > LANES_FEW) {
    measure(report);
    share(report, place);
  }
  free(place);
  free(was);
  return place && was;
}
