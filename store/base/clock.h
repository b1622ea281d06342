/* SPDX-License-Identifier: MIT */
/* clock: the two clocks of the store, in µs. */
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

/* Since 1970. Good to a few ms, which is enough for times to live, and no system call. */
static inline int64_t clock_now_us(void)
{
  return clock_read_us(CLOCK_REALTIME_COARSE);
}

/* For intervals. */
static inline int64_t clock_steady_us(void)
{
  return clock_read_us(CLOCK_MONOTONIC);
}

#endif
