/* SPDX-License-Identifier: MIT */
#include "shim/rescue/deadline.h"

#include "shim/handle/overrides.h"
#include "shim/request/request.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

/* A turn that begins so shortly before the deadline waits for it, rather than that the next one be late. */
#define NEAR_US 3000
/* From so long before it, libcurl is told of a later one in any case: without a prerequest callback, and
 * after a redirect. */
#define SOON_US 100000

/* A watchdog's grace after the rescue's own deadline. */
#define GRACE_SECONDS 30

#define DEFAULT_MS (10 * 60 * 1000)

/* The clock that the app's TIMEOUT is on, 0 without one. What it waited for another call counts. */
static int64_t deadline_us(const struct rescue *rescue)
{
  const struct request *request = rescue->request;
  long limit_ms = (long)request->shadow->slot[SLOT_TIMEOUT_MS];
  int64_t start = request->op.waited ? request->started_us : rescue->started_us;
  return limit_ms > 0 && limit_ms < INT64_MAX / 1000000 ? start + limit_ms * INT64_C(1000) : 0;
}

/* A guard without rescue= has the default's time. */
static uint64_t patience_ms(const struct rescue *rescue)
{
  uint64_t ms = rescue->request->rule->rescue_ms;
  return ms ? ms : DEFAULT_MS;
}

/* libcurl takes no more than fits an int. */
long deadline_of_rescue_ms(const struct rescue *rescue, int64_t now_us)
{
  uint64_t spent = (uint64_t)(now_us - rescue->started_us) / 1000, ms = patience_ms(rescue);
  return spent < INT_MAX && ms < INT_MAX - spent ? (long)(spent + ms) : INT_MAX - 1;
}

unsigned deadline_of_copy_seconds(const struct rescue *rescue)
{
  uint64_t seconds = patience_ms(rescue) / 1000 + GRACE_SECONDS;
  return seconds < INT_MAX ? (unsigned)seconds : INT_MAX;
}

static void hold(struct rescue *rescue)
{
  override_set(rescue->request->shadow, CURLOPT_TIMEOUT_MS, deadline_of_rescue_ms(rescue, monotonic_us()));
}

static bool is_held(const struct rescue *rescue)
{
  return override_has(rescue->request->shadow, CURLOPT_TIMEOUT_MS);
}

/* libcurl looks at the speed each second if there is a limit (since 8.18 only if there is a time, too), so
 * that its own timer turns the app's loop. With the longest time that it takes, 18 hours below a byte a
 * second, it does no more. */
void deadline_wake_each_second(struct shadow *shadow, bool keeps_limit)
{
  static const struct {
    CURLoption option;
    uintptr_t value;
  } wakes[] = {{CURLOPT_LOW_SPEED_LIMIT, 1}, {CURLOPT_LOW_SPEED_TIME, 65535}};
  if (!keeps_limit && shadow_value(shadow, CURLOPT_LOW_SPEED_LIMIT) &&
      shadow_value(shadow, CURLOPT_LOW_SPEED_TIME))
    return;
  for (size_t i = 0; i < sizeof(wakes) / sizeof(*wakes); i++)
    override_put(shadow, wakes[i].option, wakes[i].value, keeps_limit);
}

void deadline_hold(struct rescue *rescue)
{
  if (rescue->state != RESCUE_READY || !rescue->started_us || !deadline_us(rescue))
    return;
  hold(rescue);
}

/* As libcurl counts, from its own start. */
void deadline_note_status(struct rescue *rescue, int status)
{
  if (rescue->state != RESCUE_READY || !is_held(rescue) || status < 300)
    return;
  int64_t due = deadline_us(rescue), ms = (due - rescue->started_us) / 1000;
  override_until_set(rescue->request->shadow, CURLOPT_TIMEOUT_MS, !due ? 0 : ms > 0 ? ms : 1);
}

bool deadline_has_come(struct rescue *rescue, int64_t now_us)
{
  int64_t due = deadline_us(rescue);
  if (!due || now_us + SOON_US < due)
    return false;
  if (!is_held(rescue))
    hold(rescue);
  if (now_us + NEAR_US < due)
    return false;
  struct timespec at = clock_timespec(due);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
    ;
  return true;
}

int64_t deadline_next_look_us(const struct rescue *rescue, int64_t now_us)
{
  int64_t due = deadline_us(rescue);
  if (!due)
    return INT64_MAX;
  return now_us < due - SOON_US ? due - SOON_US : now_us < due - NEAR_US ? due - NEAR_US : now_us;
}

bool deadline_was_passed(const struct rescue *rescue)
{
  int64_t due = rescue->state == RESCUE_READY && is_held(rescue) ? deadline_us(rescue) : 0;
  return due && monotonic_us() >= due;
}

void deadline_end(struct rescue *rescue)
{
  override_set(rescue->request->shadow, CURLOPT_TIMEOUT_MS, 1);
}
