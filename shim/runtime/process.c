/* SPDX-License-Identifier: MIT */
#include "shim/runtime/process.h"

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
