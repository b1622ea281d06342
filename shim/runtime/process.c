/* SPDX-License-Identifier: MIT */
#include "shim/runtime/process.h"

#include <stdlib.h>

_Atomic bool process_over;

static void end(void)
{
  atomic_store(&process_over, true);
}

/* A handler that is registered later runs earlier. So those of the app from before us find us gone, and those
 * from after us do not. OpenSSL's own may be from before or after; it tells us itself. */
void process_watch_end(int (*openssl_atexit)(void (*handler)(void)))
{
  atexit(end);
  at_quick_exit(end);
  if (openssl_atexit)
    openssl_atexit(end);
}
