/* SPDX-License-Identifier: MIT */
/*
 * The picture as SVG in the page: lanes as bands, calls as bars (pale while waiting, full while receiving),
 * folds where nothing happened, arrows from a failed attempt to the next. Where everything is was worked out
 * by plan.c; here it is only drawn. Every bar is a link to its exchange, and has a title, so the picture can
 * be read without colour and by a screen reader.
 */
#include "cli/output/units.h"
#include "cli/report/report.h"

#include <inttypes.h>
#include <string.h>

/* A rescue that failed is no failure that the app saw. */
const char *report_class(const struct report_call *call)
{
  return call->failed && call->what != TAPE_RESCUE ? "failed" : tape_what_name((enum tape_what)call->what);
}

/* libcurl's own names are too long for a picture. */
static const struct {
  uint32_t code;
  const char *words;
} endings[] = {
    {5, "no proxy"},     {6, "no such host"},  {7, "no connection"}, {8, "odd reply"},
    {18, "cut short"},   {23, "write failed"}, {26, "read failed"},  {28, "timed out"},
    {35, "TLS failed"},  {42, "aborted"},      {47, "redirects"},    {52, "no reply"},
    {55, "send failed"}, {56, "broken off"},   {60, "certificate"},  {92, "HTTP/2 stream"},
};

/* What a person would say of it in two words. */
const char *report_ending(const struct report_call *call, char text[32])
{
  for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
    /* 0, for a call that libcurl has ended well, is not among them, and gives its status. */
    if (call->curl_code == endings[i].code)
      return endings[i].words;
  if (call->no_answer)
    return "no answer";
  snprintf(text, 32, call->curl_code ? "error %u" : "%u", call->curl_code ? call->curl_code : call->status);
  return text;
}

/* The axis. */

/* A round number of µs that is at least so many pixels wide. Steps that people count in: one, two
 * and five of a power of ten up to seconds, then quarters and halves of a minute. */
static int64_t tick_us(double us_each_pixel)
{
  static const int64_t steps[] = {1000,     2000,     5000,      10000,     20000,     50000,     100000,
                                  200000,   500000,   1000000,   2000000,   5000000,   10000000,  15000000,
                                  30000000, 60000000, 120000000, 300000000, 600000000, 1800000000};
  size_t count = sizeof(steps) / sizeof(*steps);
  for (size_t i = 0; i < count; i++)
    if ((double)steps[i] >= us_each_pixel * TICK_LEAST)
      return steps[i];
  /* Of a run of days, multiples of half an hour. */
  return steps[count - 1] * (int64_t)(us_each_pixel * TICK_LEAST / (double)steps[count - 1] + 1);
}

/* A line down through all lanes, and the time above it, with as many digits as the distance between two ticks
 * needs. */
static void put_tick(const struct report *report, int64_t us, int64_t step)
{
  FILE *out = report->out;
  double x = report_x(report, us);
  int64_t s = us / 1000000;
  int digits = step >= 1000000 ? 0 : step >= 100000 ? 1 : step >= 10000 ? 2 : 3;
  fprintf(out, "<path class=tick d='M%.1f %d V%.0f'/><text class='t%s' x=%.1f y=16>", x, TICK_TOP,
          report->height, us ? "" : " first", x);
  /* Of a time only the units that it has: "1h 5m 20s", "20s". */
  if (s >= 3600)
    fprintf(out, "%" PRId64 "h ", s / 3600);
  if (s >= 60)
    fprintf(out, "%" PRId64 "m ", s / 60 % 60);
  fprintf(out, "%.*fs</text>\n", digits, (double)(us % 60000000) / 1e6);
}

/* Each stretch begins with a tick of its own, since what is before it was folded. */
static void put_axis(const struct report *report)
{
  const struct report_stretch *first = report->stretches;
  double pixels = 0, us = 0;
  for (size_t i = 0; i < report->stretch_count; i++) {
    pixels += first[i].end_x - first[i].x;
    us += (double)(first[i].to_us - first[i].from_us);
  }
  /* All stretches have one scale (plan.c), so one step is for all of them. */
  int64_t step = tick_us(pixels > 0 ? us / pixels : 1);
  for (size_t i = 0; i < report->stretch_count; i++) {
    int64_t at = (first[i].from_us + step - 1) / step * step;
    if (at > first[i].to_us || report_x(report, at) - first[i].x > TICK_LEAST)
      /* With a digit more than the others: where a stretch begins is no round number. */
      put_tick(report, first[i].from_us, step / 10 + 1);
    for (; at <= first[i].to_us; at += step)
      put_tick(report, at, step);
  }
}

/* How long nothing happened, in a box as wide as all folds are. */
static void put_folds(const struct report *report)
{
  char span[CLI_UNIT_SIZE];
  for (size_t i = 1; i < report->stretch_count; i++) {
    const struct report_stretch *before = &report->stretches[i - 1], *after = &report->stretches[i];
    double x = before->end_x, middle = (x + after->x) / 2;
    fprintf(report->out,
            "<rect class=fold x=%.1f y=%d width=%.1f height=%.0f rx=4 /><text class=t x=%.1f y=%d>idle "
            "%s</text>\n",
            x + 8, AXIS_HEIGHT - 6, after->x - x - 16, report->height - AXIS_HEIGHT, middle, AXIS_HEIGHT - 12,
            cli_duration(span, (uint64_t)(after->from_us - before->to_us) / 1000));
  }
}

/* Bars. */

/* The y of a bar's middle. Copies' bars lie in thin rows of their own, below all others of the lane. */
static double middle_of(const struct report *report, const struct report_call *call)
{
  const struct report_lane *lane = &report->lanes[call->lane];
  if (call->what == TAPE_RESCUE)
    return lane->y + lane->rows * (double)ROW_HEIGHT + call->row * (double)THIN_HEIGHT + THIN_HEIGHT / 2.0;
  return lane->y + call->row * (double)ROW_HEIGHT + ROW_HEIGHT / 2.0;
}

/* What a mouse that rests on the bar shows. */
static void put_title(FILE *out, const struct report_call *call)
{
  char text[32], took[CLI_UNIT_SIZE], wait[CLI_UNIT_SIZE], cost[40];
  fprintf(out, "<title>%" PRIu64 ": %s, %s, first byte %s, took %s", call->number,
          tape_what_name((enum tape_what)call->what), report_ending(call, text),
          cli_duration(wait, (uint64_t)(call->first_us - call->start_us) / 1000),
          cli_duration(took, (uint64_t)(call->end_us - call->start_us) / 1000));
  if (call->usd >= 0)
    fprintf(out, ", %s", cli_dollars(cost, call->usd));
  if (call->usage.input >= 0 || call->usage.output >= 0)
    fprintf(out, ", tokens %" PRId64 " in, %" PRId64 " out", call->usage.input < 0 ? 0 : call->usage.input,
            call->usage.output < 0 ? 0 : call->usage.output);
  fputs("</title>", out);
}

/* What tells them apart without colour. Beside a bar that failed is its reason, where that is not in the way
 * of the next. */
static void put_mark(FILE *out, const struct report_call *call, double y)
{
  char text[32];
  const char *why = report_ending(call, text);
  double x = call->end_x, room = call->room_x - x;
  bool failed = call->failed && call->what != TAPE_RESCUE;
  /* A cross has failed, a diamond is a hit, a circle a join. */
  if (failed && room > CROSS_ROOM)
    fprintf(out, "<path class=cross d='M%.1f %.1fl6 6m0 -6l-6 6'/>", x + 4, y - 3);
  if (failed && room > CROSS_ROOM + LETTER_WIDTH * (double)strlen(why))
    fprintf(out, "<text class=why x=%.1f y=%.1f>%s</text>", x + CROSS_ROOM, y + 4, why);
  if (!failed && call->what == TAPE_HIT)
    fprintf(out, "<path class=mark d='M%.1f %.1fl5 5l-5 5l-5 -5z'/>", x + 9, y - 5);
  if (!failed && call->what == TAPE_JOIN)
    fprintf(out, "<circle class=mark cx=%.1f cy=%.1f r=4 />", x + 9, y);
}

/* The whole bar first, then the part of it in which the answer came, over it. */
static void put_bar(const struct report *report, const struct report_call *call)
{
  int high = call->what == TAPE_RESCUE ? THIN_BAR : BAR_HEIGHT;
  double y = middle_of(report, call), top = y - high / 2.0;
  fprintf(report->out, "<a href='#e%" PRIu64 "' class='%s'>", call->number, report_class(call));
  put_title(report->out, call);
  fprintf(report->out, "<rect class=wait x=%.1f y=%.1f width=%.1f height=%d rx=3 />", call->x, top,
          call->end_x - call->x, high);
  /* Half a pixel of it would be a line that is nothing. */
  if (call->end_x - call->first_x > 0.5)
    fprintf(report->out, "<rect class=body x=%.1f y=%.1f width=%.1f height=%d rx=3 />", call->first_x, top,
            call->end_x - call->first_x, high);
  put_mark(report->out, call, y);
  fputs("</a>\n", report->out);
}

/* From the end of an attempt to the beginning of the next. On one row the curve bows below the bars, where it
 * is seen. A next attempt that began before this one ended is reached from the left, too. */
static void put_retry(const struct report *report, const struct report_call *call)
{
  if (!call->next)
    return;
  /* Where none is missing on the tape, number N is the N-th; an arrow less is no harm. */
  const struct report_call *next = &report->calls[call->next - 1];
  if (next->number != call->next)
    return;
  double x = call->end_x, y = middle_of(report, call), to_x = next->x, to_y = middle_of(report, next);
  double bow = y == to_y ? 15 : 0, reach = to_x > x ? (to_x - x) / 3 : 30;
  fprintf(report->out, "<path class=retry d='M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f'/>\n", x, y + bow / 3,
          x + reach, y + bow, to_x - reach, to_y + bow, to_x, to_y + bow / 3);
}

/* The names of the lanes stand beside the picture, so that they stay when it is scrolled. */
static void put_lane_names(const struct report *report)
{
  char text[CLI_UNIT_SIZE];
  fprintf(report->out, "<svg class=names width=100 height=%.0f role=presentation>\n", report->height);
  for (size_t i = 0; i < report->lane_count; i++) {
    const struct report_lane *lane = &report->lanes[i];
    fprintf(report->out,
            "<text x=10 y=%.1f><title>process %" PRIu32 " (pid %" PRIu32 "), thread %" PRIu32 "%s</title>",
            lane->y + ROW_HEIGHT / 2.0 + 4, lane->process, lane->pid, lane->lane,
            lane->threads > 1 ? ", and others after it" : "");
    if (lane->threads > 1)
      fprintf(report->out, "%s threads</text>\n", cli_count(text, lane->threads));
    else
      fprintf(report->out, "p%" PRIu32 " t%" PRIu32 "</text>\n", lane->process, lane->lane);
  }
  fputs("</svg>\n", report->out);
}

/* In layers: lanes, axis, folds, arrows, and the bars over all of them, since they are what is
 * clicked. */
void report_picture(const struct report *report)
{
  fputs("<div class=picture>\n", report->out);
  put_lane_names(report);
  fprintf(report->out,
          "<div class=scroll tabindex=0><svg class=run width=%.0f height=%.0f viewBox='0 0 %.0f %.0f' "
          "preserveAspectRatio=none role=img "
          "aria-label='The calls of the run by thread, over time'>\n",
          report->width, report->height, report->width, report->height);
  for (size_t i = 0; i < report->lane_count; i++)
    fprintf(report->out, "<rect class=lane x=0 y=%.1f width=%.0f height=%.1f />\n", report->lanes[i].y,
            report->width,
            report->lanes[i].rows * (double)ROW_HEIGHT + report->lanes[i].thin_rows * (double)THIN_HEIGHT);
  put_axis(report);
  put_folds(report);
  for (size_t i = 0; i < report->count; i++)
    put_retry(report, &report->calls[i]);
  for (size_t i = 0; i < report->count; i++)
    put_bar(report, &report->calls[i]);
  fputs("</svg></div></div>\n", report->out);
}

/* Without scripts it only shows; with one, a part of it is chosen (report.js). As wide as the window: each
 * bin is so many calls that were under way, the failed ones below. */
void report_overview(const struct report *report)
{
  /* Not on the stack, and there is one page a process. */
  static unsigned all[OVERVIEW_BINS + 1], bad[OVERVIEW_BINS + 1];
  unsigned most = 1;
  memset(all, 0, sizeof(all));
  memset(bad, 0, sizeof(bad));
  for (size_t i = 0; i < report->count; i++) {
    const struct report_call *call = &report->calls[i];
    /* A call is counted in each bin that it goes through. */
    size_t from = (size_t)(call->x / report->width * OVERVIEW_BINS),
           to = (size_t)(call->end_x / report->width * OVERVIEW_BINS);
    for (size_t bin = from; bin <= to && bin < OVERVIEW_BINS; bin++) {
      all[bin]++;
      bad[bin] += call->failed && call->what != TAPE_RESCUE;
    }
  }
  for (size_t i = 0; i < OVERVIEW_BINS; i++)
    /* The highest bin fills the strip; at least 1, which is divided by. */
    most = all[i] > most ? all[i] : most;
  fprintf(report->out,
          "<div class=overview hidden><svg viewBox='0 0 %d 40' preserveAspectRatio=none role=img "
          "aria-label='The whole run'>",
          OVERVIEW_BINS);
  /* Two paths, the failed ones drawn over the others, since they are a part of them. */
  for (int failed = 0; failed < 2; failed++) {
    const unsigned *bins = failed ? bad : all;
    fprintf(report->out, "<path class=%s d='", failed ? "failed" : "live");
    for (int i = 0; i < OVERVIEW_BINS; i++)
      if (bins[i])
        /* Four units for being there at all, so that one call is seen beside a hundred. */
        fprintf(report->out, "M%d.5 40v-%.1f", i, 4 + 34.0 * bins[i] / most);
    fputs("'/>", report->out);
  }
  fputs("<rect class=brush x=0 y=0 width=600 height=40 /></svg><p class=note><output></output> <button "
        "type=button>all of it"
        "</button></p></div>\n",
        report->out);
}
