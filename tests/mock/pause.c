/* SPDX-License-Identifier: MIT */
#include "tests/mock/pause.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>

static int stopping = -1, releases = -1;

bool pause_init(void)
{
  stopping = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  releases = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
  return stopping >= 0 && releases >= 0;
}

bool pause_ms(uint64_t ms)
{
  struct pollfd until = {.fd = stopping, .events = POLLIN};

  return poll(&until, 1, ms > INT_MAX ? INT_MAX : (int)ms) == 0;
}

bool pause_hold(void)
{
  struct pollfd until[] = {
      {.fd = stopping, .events = POLLIN},
      {.fd = releases, .events = POLLIN},
  };
  eventfd_t one;

  while (poll(until, 2, -1) < 0 || !(until[0].revents & POLLIN))
    if (eventfd_read(releases, &one) == 0)
      return true;
  return false;
}

void pause_release(uint64_t count)
{
  eventfd_write(releases, count);
}

void pause_reset(void)
{
  eventfd_t one;

  while (eventfd_read(releases, &one) == 0)
    ;
}

void pause_end(void)
{
  eventfd_write(stopping, 1);
}
