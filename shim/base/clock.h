/* SPDX-License-Identifier: MIT */
/*
 * clock: the clocks of the shim, all in µs.
 *
 *     int64_t began_us = monotonic_us();
 *     ...
 *     int64_t took_us = monotonic_us() - began_us;
 *
 * Deadlines and intervals are on CLOCK_MONOTONIC, as libcurl's are; only what is written down for later (the
 * Date of an answer) is wall time. None of them is a system call where the kernel has a vDSO.
 */
#ifndef IDEMSHIM_SHIM_CLOCK_H
#define IDEMSHIM_SHIM_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_us(clockid_t id)
{
  struct timespec now;
  clock_gettime(id, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t monotonic_us(void)
{
  return clock_read_us(CLOCK_MONOTONIC);
}

/* The same clock to within a few ms, at a fifth of the cost. */
static inline int64_t monotonic_coarse_us(void)
{
  return clock_read_us(CLOCK_MONOTONIC_COARSE);
}

/* Since 1970. */
static inline int64_t wall_clock_us(void)
{
  return clock_read_us(CLOCK_REALTIME);
}

/* A time or an interval of these clocks, as system calls take it. */
static inline struct timespec clock_timespec(int64_t us)
{
  return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
}

#endif
