/* SPDX-License-Identifier: MIT */
/* The clock of a machine that is IDEM_CLOCK_SHIFT_S seconds off, for a program that
 * is preloaded with this. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void)
{
  const char *text = getenv("IDEM_CLOCK_SHIFT_S");
  return text ? atol(text) : 0;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now)
{
  int rc = (int)syscall(SYS_clock_gettime, clock, now);
  if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += shift();
  return rc;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
  struct timespec at;
  (void)zone;
  int rc = clock_gettime(CLOCK_REALTIME, &at);
  now->tv_sec = at.tv_sec;
  now->tv_usec = at.tv_nsec / 1000;
  return rc;
}

__attribute__((visibility("default"))) time_t time(time_t *out)
{
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  if (out)
    *out = at.tv_sec;
  return at.tv_sec;
}
