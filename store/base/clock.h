/* SPDX-License-Identifier: MIT */
/*
 * clock: the two clocks of the store, in µs. Neither fails, and the vDSO answers both without a system call.
 *
 *     int64_t expires_us = clock_expiry_us(clock_now_us(), rule->ttl_ms);
 *     int64_t end = clock_steady_us() + 100 * 1000;
 */
#ifndef IDEMSHIM_STORE_CLOCK_H
#define IDEMSHIM_STORE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_us(clockid_t id)
{
  struct timespec time;
  clock_gettime(id, &time);
  return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Since 1970. Good to a few ms, which is enough for times to live. */
static inline int64_t clock_now_us(void)
{
  return clock_read_us(CLOCK_REALTIME_COARSE);
}

/* When what begins at `now_us` has lived for `ttl_ms`; INT64_MAX: never. */
static inline int64_t clock_expiry_us(int64_t now_us, uint64_t ttl_ms)
{
  return ttl_ms >= (uint64_t)(INT64_MAX - now_us) / 1000 ? INT64_MAX : now_us + (int64_t)ttl_ms * 1000;
}

/* For intervals: setting the clock does not change it. */
static inline int64_t clock_steady_us(void)
{
  return clock_read_us(CLOCK_MONOTONIC);
}

#endif
