/* SPDX-License-Identifier: MIT */
/*
 * driver: which thread turns libcurl's loop for a multi, and whether it is inside of a turn now.
 *
 *     driver_enter(&multi->driver);
 *     ...a turn, or anything that may run callbacks...
 *     driver_leave(&multi->driver);
 *
 * A call is asked about its driver in two places: whether waiting for it here would be waiting for this very
 * thread, and, when the process exits, whether this thread has it to carry on (rescue/at_exit.h). Entering is
 * two stores and waits for nobody: that two threads do not turn one multi at once is the app's business, as
 * it is with libcurl. A thread that leaves a turn by a jump or an exception leaves `depth` behind, and the
 * next thread to enter starts anew.
 *
 * Any thread may ask whether a driver is its own; `depth` is of the thread that is.
 */
#ifndef IDEMSHIM_SHIM_DRIVER_H
#define IDEMSHIM_SHIM_DRIVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct driver {
  _Atomic(pthread_t) thread; /* that entered last; 0: none yet */
  unsigned depth;            /* callbacks call us, so that a turn may have others inside of it */
};

/* True in the thread that entered last, inside or not. */
static inline bool driver_is_ours(const struct driver *driver)
{
  return atomic_load_explicit(&driver->thread, memory_order_relaxed) == pthread_self();
}

/* True in that thread, inside of a turn. */
static inline bool driver_is_inside(const struct driver *driver)
{
  return driver_is_ours(driver) && driver->depth > 0;
}

static inline void driver_enter(struct driver *driver)
{
  if (!driver_is_ours(driver)) {
    atomic_store_explicit(&driver->thread, pthread_self(), memory_order_relaxed);
    driver->depth = 0;
  }
  driver->depth++;
}

/* NULL is fine. */
static inline void driver_leave(struct driver *driver)
{
  if (driver && driver_is_inside(driver))
    driver->depth--;
}

#endif
