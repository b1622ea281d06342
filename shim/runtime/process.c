/* SPDX-License-Identifier: MIT */
#include "shim/runtime/process.h"

#include "shim/base/clock.h"
#include "shim/base/libc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic bool over;
static _Atomic pid_t owner; /* 0: no call has come yet */

bool process_is_the_owner(void)
{
  pid_t pid = getpid(), known = 0;
  return atomic_load_explicit(&owner, memory_order_relaxed) == pid ||
         atomic_compare_exchange_strong(&owner, &known, pid) || known == pid;
}

/* A pid is used again, and a page outlives it, so the moment is part of it. */
uint64_t process_run(void)
{
  static _Atomic uint64_t own;
  uint64_t pid = (uint64_t)getpid() << 40, known = atomic_load(&own);
  /* A child by fork() is one of its own. */
  if ((known ^ pid) >> 40) {
    uint64_t fresh = pid | ((uint64_t)monotonic_us() & (UINT64_MAX >> 24)) | 1;
    if (atomic_compare_exchange_strong(&own, &known, fresh))
      known = fresh;
  }
  return known;
}

bool process_allows_calls(void)
{
  return !atomic_load_explicit(&over, memory_order_relaxed);
}

void process_after_fork(void)
{
  atomic_store(&owner, 0);
}

/* A child by vfork() that calls exit() runs the handlers, too. */
static void end(void)
{
  if (process_is_the_owner())
    atomic_store(&over, true);
}

/* A handler that is registered later runs earlier. So those of the app from before us find us gone, and those
 * from after us do not. OpenSSL's own may be from before or after; it tells us itself. */
void process_watch_end(int (*openssl_atexit)(void (*handler)(void)))
{
  atexit(end);
  libc_at_quick_exit(end);
  if (openssl_atexit)
    openssl_atexit(end);
}
