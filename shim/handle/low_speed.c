/* SPDX-License-Identifier: MIT */
#include "shim/handle/low_speed.h"

#include "shim/handle/callbacks.h"

/* Bytes a second since the oldest sample; of the whole transfer while there is only one. */
static int64_t speed_of(const struct slow *slow)
{
  unsigned newest = (slow->count - 1) % SLOW_SAMPLES;
  unsigned oldest = slow->count >= SLOW_SAMPLES ? slow->count % SLOW_SAMPLES : 0;
  int64_t bytes = slow->bytes[newest] - (slow->count > 1 ? slow->bytes[oldest] : 0);
  int64_t ms = (slow->at_us[newest] - (slow->count > 1 ? slow->at_us[oldest] : slow->started_us)) / 1000;
  return bytes * 1000 / (ms > 0 ? ms : 1);
}

static void take_sample(struct slow *slow, int64_t bytes, int64_t now_us)
{
  if (slow->count && slow->second == now_us / 1000000)
    return;
  slow->second = now_us / 1000000;
  slow->bytes[slow->count % SLOW_SAMPLES] = bytes;
  slow->at_us[slow->count % SLOW_SAMPLES] = now_us;
  slow->count++;
}

static bool is_too_long(struct slow *slow, int64_t bytes, int64_t now_us, long limit, long seconds)
{
  take_sample(slow, bytes, now_us);
  if (speed_of(slow) >= limit) {
    slow->since_us = 0;
    return false;
  }
  if (!slow->since_us)
    slow->since_us = now_us;
  return now_us - slow->since_us >= (int64_t)seconds * 1000000;
}

/* What libcurl has no rule for is never too slow. */
bool slow_breaks_rule(struct slow *slow, const struct shadow *shadow, int64_t bytes, int64_t now_us)
{
  long limit = (long)shadow_rare(shadow, CURLOPT_LOW_SPEED_LIMIT, 0),
       seconds = (long)shadow_rare(shadow, CURLOPT_LOW_SPEED_TIME, 0);
  return limit > 0 && seconds > 0 && is_too_long(slow, bytes, now_us, limit, seconds);
}

CURLcode slow_error(struct shadow *shadow)
{
  callback_error(shadow, "Operation too slow. Less than %ld bytes/sec transferred the last %ld seconds",
                 (long)shadow_rare(shadow, CURLOPT_LOW_SPEED_LIMIT, 0),
                 (long)shadow_rare(shadow, CURLOPT_LOW_SPEED_TIME, 0));
  return CURLE_OPERATION_TIMEDOUT;
}
