/* SPDX-License-Identifier: MIT */
#include "shim/replay/progress.h"

#include "shim/base/clock.h"
#include "shim/handle/callbacks.h"

#include <inttypes.h>
#include <stdio.h>

/* A column of the meter, by value, so that one printf() can hold several. */
struct amount {
  char text[48];
};

/* Five columns: 99999, 9999k, 99.9M, 9999M, 99.9G. */
static struct amount five_columns(curl_off_t bytes)
{
  static const struct {
    curl_off_t below, unit;
    char suffix;
    bool tenths;
  } forms[] = {
      {100000, 1, '\0', false},
      {10000ll << 10, 1ll << 10, 'k', false},
      {100ll << 20, 1ll << 20, 'M', true},
      {10000ll << 20, 1ll << 20, 'M', false},
      {100ll << 30, 1ll << 30, 'G', true},
      {10000ll << 30, 1ll << 30, 'G', false},
      {INT64_MAX, 1ll << 40, 'T', false},
  };
  size_t i = 0;
  while (bytes >= forms[i].below)
    i++;
  curl_off_t whole = bytes / forms[i].unit;
  struct amount amount;
  if (!forms[i].suffix)
    snprintf(amount.text, sizeof(amount.text), "%5" PRId64, (int64_t)whole);
  else if (forms[i].tenths)
    snprintf(amount.text, sizeof(amount.text), "%2" PRId64 ".%" PRId64 "%c", (int64_t)whole,
             (int64_t)(bytes % forms[i].unit / (forms[i].unit / 10)), forms[i].suffix);
  else
    snprintf(amount.text, sizeof(amount.text), "%4" PRId64 "%c", (int64_t)whole, forms[i].suffix);
  return amount;
}

/* "--:--:--" stands for a time that is not known. */
static struct amount clock_time(curl_off_t seconds)
{
  struct amount time = {"--:--:--"};
  if (seconds > 0)
    snprintf(time.text, sizeof(time.text), "%2" PRId64 ":%02d:%02d", (int64_t)(seconds / 3600),
             (int)(seconds / 60 % 60), (int)(seconds % 60));
  return time;
}

static int percent(curl_off_t part, curl_off_t total)
{
  return total > 0 ? (int)(part * 100 / total) : 0;
}

static curl_off_t per_second(curl_off_t bytes, int64_t us)
{
  return us > 0 ? bytes * 1000000 / us : 0;
}

/* Draws libcurl's meter, as the curl tool shows it when its output does not go to a terminal
 * [lib/progress.c]. It has two lines in a replay: what is known before the first byte, and the end. */
static void draw_meter(struct shadow *shadow, const struct progress *p)
{
  FILE *to = (FILE *)shadow->slot[SLOT_STDERR];
  int64_t us = monotonic_us() - p->started_us;
  curl_off_t down_speed = per_second(p->down, us), up_speed = per_second(p->up, us);
  curl_off_t expected =
      (p->up_total > 0 ? p->up_total : p->up) + (p->down_total > 0 ? p->down_total : p->down);
  char line[512];
  if (!to)
    return;
  if (!shadow->meter_titled)
    fputs("  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
          "                                 Dload  Upload   Total   Spent    Left  Speed\n",
          to);
  shadow->meter_titled = true;
  snprintf(line, sizeof(line), "\r%3d %s  %3d %s  %3d %s  %s  %s %s %s %s %s",
           percent(p->down + p->up, expected), five_columns(expected).text, percent(p->down, p->down_total),
           five_columns(p->down).text, percent(p->up, p->up_total), five_columns(p->up).text,
           five_columns(down_speed).text, five_columns(up_speed).text, clock_time(0).text,
           clock_time(us / 1000000).text, clock_time(0).text, five_columns(down_speed + up_speed).text);
  fputs(line, to);
  if (p->final)
    fputs("\n", to);
  fflush(to);
}

int progress_ask(struct shadow *shadow, const struct progress *p)
{
  curl_xferinfo_callback xferinfo = (curl_xferinfo_callback)shadow->slot[SLOT_XFERINFOFUNCTION];
  curl_progress_callback older = (curl_progress_callback)shadow->slot[SLOT_PROGRESSFUNCTION];
  void *data = (void *)shadow->slot[SLOT_XFERINFODATA];
  if (xferinfo)
    return xferinfo(data, p->down_total, p->down, p->up_total, p->up);
  if (older)
    return older(data, (double)p->down_total, (double)p->down, (double)p->up_total, (double)p->up);
  return CURL_PROGRESSFUNC_CONTINUE;
}

void progress_take_sent(struct progress *p, const struct info *info)
{
  p->up = info_number(info, CURLINFO_SIZE_UPLOAD_T, 0);
  int64_t total = info_number(info, CURLINFO_CONTENT_LENGTH_UPLOAD_T, p->up);
  p->up_total = total > 0 ? total : 0;
}

CURLcode progress_update(struct shadow *shadow, const struct progress *p)
{
  if (shadow->slot[SLOT_NOPROGRESS])
    return CURLE_OK;
  struct progress known = *p;
  if (p->sent)
    progress_take_sent(&known, p->sent);
  int verdict = progress_ask(shadow, &known);
  if (verdict && verdict != CURL_PROGRESSFUNC_CONTINUE) {
    callback_error(shadow, "Callback aborted");
    return CURLE_ABORTED_BY_CALLBACK;
  }
  if (verdict == CURL_PROGRESSFUNC_CONTINUE && (p->final || p->down == 0))
    draw_meter(shadow, &known);
  return CURLE_OK;
}
