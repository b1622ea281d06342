/* SPDX-License-Identifier: MIT */
/*
 * process: whether calls of this process can be ours at this moment of its life.
 *
 *     if (!process_is_alive())
 *       return real->easy_perform(handle);      // an exit handler, a destructor
 *
 * When a program ends, the libraries that the store needs end before its last code: OpenSSL in an exit handler
 * of its own. A call from an exit handler that was registered before the store was opened, from a destructor
 * or after OPENSSL_cleanup() goes out as if we were not there. What is under way by then goes on to its end.
 *
 * Any thread may come here; asking is one look at a variable.
 */
#ifndef IDEMSHIM_SHIM_PROCESS_H
#define IDEMSHIM_SHIM_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>

extern _Atomic bool process_over;

static inline bool process_is_alive(void)
{
  return !atomic_load_explicit(&process_over, memory_order_relaxed);
}

/* When the store or a tape is opened. `openssl_atexit` is that of the libcrypto that they use; NULL if it has
 * none. */
void process_watch_end(int (*openssl_atexit)(void (*handler)(void)));

#endif
