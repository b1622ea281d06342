/* SPDX-License-Identifier: MIT */
/* Where in the picture each exchange is. Time runs to the right; stretches in which nothing happens are
 * folded, since a tape may cover a night in which three calls were made. */
#include "cli/report/report.h"

#include <stdlib.h>

/* Lanes: one for each thread, as long as a person can still look at so many. */

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
  lanes[report->lane_count] = (struct report_lane){.process = record->process,
                                                   .lane = record->call.lane,
                                                   .pid = record->call.pid,
                                                   .threads = 1,
                                                   .was = (uint32_t)report->lane_count};
  return (int)report->lane_count++;
}

/* Lanes are in the order of their processes, then of their threads. */
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

/* Each takes the first lane that is free by then. A script that starts a program for each call
 * has a lane for each of them, all of them empty but for a moment. Laid into one another in the
 * order of time they look as the run was: so many at once. */
static void share(struct report *report, uint32_t *place)
{
  /* Lanes are moved to the front in place: what is kept is never behind what is looked at. */
  size_t kept = 0;
  for (size_t i = 0; i < report->lane_count; i++)
    report->lanes[i].from_us = INT64_MAX, report->lanes[i].to_us = INT64_MIN;
  for (size_t i = 0; i < report->count; i++) {
    const struct report_call *call = &report->calls[i];
    struct report_lane *lane = &report->lanes[call->lane];
    lane->from_us = call->start_us < lane->from_us ? call->start_us : lane->from_us;
    lane->to_us = call->end_us > lane->to_us ? call->end_us : lane->to_us;
  }
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

/* By number instead of by appearance, and shared where there are too many to look at. */
static bool order_lanes(struct report *report)
{
  uint32_t *place = calloc(report->lane_count + 1, sizeof(*place));
  if (!place)
    return false;
  if (report->lane_count)
    qsort(report->lanes, report->lane_count, sizeof(*report->lanes), by_place);
  for (size_t i = 0; i < report->lane_count; i++)
    place[report->lanes[i].was] = (uint32_t)i;
  move_calls(report, place);
  if (report->lane_count > LANES_FEW)
    share(report, place);
  free(place);
  return true;
}

/* Calls are in the order of time, then of number: two runs of the report must be equal. */
static int by_start(const void *a, const void *b)
{
  const struct report_call *x = *(struct report_call *const *)a, *y = *(struct report_call *const *)b;
  if (x->start_us != y->start_us)
    return x->start_us < y->start_us ? -1 : 1;
  return (x->number > y->number) - (x->number < y->number);
}

/* Stretches. */

/* The time in which at least one call was under way. */
static int64_t busy_us(struct report_call *const *sorted, size_t count)
{
  /* By their beginning: `until` is how far it has been counted, so that calls side by side count once. */
  int64_t busy = 0, until = INT64_MIN;
  for (size_t i = 0; i < count; i++) {
    int64_t from = sorted[i]->start_us > until ? sorted[i]->start_us : until;
    busy += sorted[i]->end_us > from ? sorted[i]->end_us - from : 0;
    until = sorted[i]->end_us > until ? sorted[i]->end_us : until;
  }
  return busy;
}

/* A pause is folded if it is longer than a sixth of all busy time, and half a second at least:
 * what looks long beside the rest. */
static void find_stretches(struct report *report, struct report_call *const *sorted)
{
  int64_t fold_us = busy_us(sorted, report->count) / 6 + FOLD_LEAST_US;
  struct report_stretch *last = NULL;
  for (size_t i = 0; i < report->count; i++) {
    const struct report_call *call = sorted[i];
    if (!last || call->start_us - last->to_us > fold_us) {
      last = &report->stretches[report->stretch_count++];
      *last = (struct report_stretch){.from_us = call->start_us, .to_us = call->end_us};
    }
    last->to_us = call->end_us > last->to_us ? call->end_us : last->to_us;
  }
}

/* All stretches have one scale, so that lengths can be compared. The picture is as wide as the
 * number of calls asks for, within bounds. */
static void place_stretches(struct report *report)
{
  /* Not 0, for a run may be one call that took no time. */
  int64_t total = 1;
  for (size_t i = 0; i < report->stretch_count; i++)
    total += report->stretches[i].to_us - report->stretches[i].from_us;
  double wanted = (double)report->count * WIDTH_EACH;
  double scale = (wanted < WIDTH_LEAST  ? WIDTH_LEAST
                  : wanted > WIDTH_MOST ? WIDTH_MOST
                                        : wanted) /
                 (double)total;
  double x = MARGIN;
  for (size_t i = 0; i < report->stretch_count; i++) {
    struct report_stretch *stretch = &report->stretches[i];
    stretch->x = x;
    stretch->end_x = x + (double)(stretch->to_us - stretch->from_us) * scale;
    x = stretch->end_x + FOLD_WIDTH;
  }
  report->width = x - FOLD_WIDTH + LABEL_ROOM;
}

/* By a binary search for the stretch; a moment inside of a fold belongs to the stretch before it. */
double report_x(const struct report *report, int64_t us)
{
  size_t low = 0, high = report->stretch_count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (report->stretches[middle].from_us <= us)
      low = middle;
    else
      high = middle;
  }
  const struct report_stretch *stretch = &report->stretches[low];
  double length = (double)(stretch->to_us - stretch->from_us);
  return length > 0 ? stretch->x + (stretch->end_x - stretch->x) * (double)(us - stretch->from_us) / length
                    : stretch->x;
}

/* Rows. */

/* A call has a width that can be hit with a mouse, whatever it took. */
static void place_call(const struct report *report, struct report_call *call)
{
  call->x = report_x(report, call->start_us);
  call->first_x = report_x(report, call->first_us);
  call->end_x = report_x(report, call->end_us);
  if (call->end_x < call->x + BAR_LEAST)
    call->end_x = call->x + BAR_LEAST;
  if (call->first_x > call->end_x)
    call->first_x = call->end_x;
}

/* The last call of each row of a lane, and of each of its thin rows. */
struct rows {
  struct report_call *last[ROWS_MOST], *thin[ROWS_MOST];
};

/* The first row of its lane in which nothing is under way; the last one is shared when there are
 * too many. Calls of one thread overlap in the multi interface, so a lane may need several rows.
 * Taking the first free one keeps a lane as low as it can be, and puts calls that follow each
 * other on one line, where a retry is seen as a retry. What a copy finishes in the background is under way
 * beside the thread's own calls, and has thin rows below them. */
static void place_in_row(struct report *report, struct report_call *call, struct rows *rows)
{
  struct report_lane *lane = &report->lanes[call->lane];
  bool thin = call->what == TAPE_RESCUE;
  struct report_call **last = thin ? rows[call->lane].thin : rows[call->lane].last;
  uint32_t row = 0, *count = thin ? &lane->thin_rows : &lane->rows;
  while (row + 1 < ROWS_MOST && row < *count && last[row]->end_us > call->start_us)
    row++;
  if (last[row])
    /* The one before it in the row has room for a word up to here. */
    last[row]->room_x = call->x;
  call->row = row;
  call->room_x = report->width;
  last[row] = call;
  *count = row >= *count ? row + 1 : *count;
}

/* Lanes stand below each other, each as high as its rows. */
static void place_lanes(struct report *report)
{
  double y = AXIS_HEIGHT;
  for (size_t i = 0; i < report->lane_count; i++) {
    report->lanes[i].y = y;
    y += LANE_GAP + report->lanes[i].rows * (double)ROW_HEIGHT +
         report->lanes[i].thin_rows * (double)THIN_HEIGHT;
  }
  report->height = y;
}

/* Lanes first, then time to x; then rows, which need x; then the lanes' places, which need the rows. Sorted
 * by time and not by number, since processes of a run overlap. */
bool report_plan(struct report *report)
{
  struct report_call **sorted = calloc(report->count + 1, sizeof(struct report_call *));
  report->stretches = calloc(report->count + 1, sizeof(*report->stretches));
  bool done = order_lanes(report);
  struct rows *rows = calloc(report->lane_count + 1, sizeof(*rows));
  done = done && sorted && report->stretches && rows;
  for (size_t i = 0; done && i < report->count; i++)
    sorted[i] = &report->calls[i];
  if (done) {
    qsort(sorted, report->count, sizeof(*sorted), by_start);
    find_stretches(report, sorted);
    place_stretches(report);
    for (size_t i = 0; i < report->count; i++) {
      place_call(report, sorted[i]);
      place_in_row(report, sorted[i], rows);
      report->took_us = sorted[i]->end_us > report->took_us ? sorted[i]->end_us : report->took_us;
    }
    place_lanes(report);
  }
  free(sorted);
  free(rows);
  return done;
}
