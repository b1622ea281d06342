/* SPDX-License-Identifier: MIT */
#include "tests/mock/pause.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>

static int stopping = -1;

bool pause_init(void)
{
  stopping = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return stopping >= 0;
}

bool pause_ms(uint64_t ms)
{
  struct pollfd until = {.fd = stopping, .events = POLLIN};

  return poll(&until, 1, ms > INT_MAX ? INT_MAX : (int)ms) == 0;
}

void pause_end(void)
{
  eventfd_write(stopping, 1);
}
