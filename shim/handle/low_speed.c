/* SPDX-License-Identifier: MIT */
#include "shim/handle/low_speed.h"

#include "shim/handle/callbacks.h"

/* Bytes a second since the oldest sample; of the whole transfer while there is only one. The samples are a
 * ring: between the oldest and the newest of six lie five seconds, as libcurl counts [progress.c]. */
static int64_t speed_of(const struct low_speed *low_speed)
{
  unsigned newest = (low_speed->count - 1) % LOW_SPEED_SAMPLES;
  unsigned oldest = low_speed->count >= LOW_SPEED_SAMPLES ? low_speed->count % LOW_SPEED_SAMPLES : 0;
  int64_t bytes = low_speed->bytes[newest] - (low_speed->count > 1 ? low_speed->bytes[oldest] : 0);
  int64_t ms =
      (low_speed->at_us[newest] - (low_speed->count > 1 ? low_speed->at_us[oldest] : low_speed->started_us)) /
      1000;
  return bytes * 1000 / (ms > 0 ? ms : 1);
}

bool low_speed_exceeded(struct low_speed *low_speed, const struct shadow *shadow, int64_t bytes,
                        int64_t now_us)
{
  long limit = (long)shadow_value(shadow, CURLOPT_LOW_SPEED_LIMIT),
       seconds = (long)shadow_value(shadow, CURLOPT_LOW_SPEED_TIME);
  if (limit <= 0 || seconds <= 0)
    return false;
  /* One sample a second. */
  if (!low_speed->count || low_speed->second != now_us / 1000000) {
    low_speed->second = now_us / 1000000;
    low_speed->bytes[low_speed->count % LOW_SPEED_SAMPLES] = bytes;
    low_speed->at_us[low_speed->count % LOW_SPEED_SAMPLES] = now_us;
    low_speed->count++;
  }
  if (speed_of(low_speed) >= limit) {
    low_speed->since_us = 0;
    return false;
  }
  if (!low_speed->since_us)
    low_speed->since_us = now_us;
  return now_us - low_speed->since_us >= (int64_t)seconds * 1000000;
}

CURLcode low_speed_error(struct shadow *shadow)
{
  callback_error(shadow, "Operation too slow. Less than %ld bytes/sec transferred the last %ld seconds",
                 (long)shadow_value(shadow, CURLOPT_LOW_SPEED_LIMIT),
                 (long)shadow_value(shadow, CURLOPT_LOW_SPEED_TIME));
  return CURLE_OPERATION_TIMEDOUT;
}
