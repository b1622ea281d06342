/* SPDX-License-Identifier: MIT */
/*
 * A gate: whether a thread is at work inside of libcurl on one of our calls. Its thread passes it for every
 * turn of libcurl's loop; a thread in which the process exits (at_exit.c) holds it while it copies the
 * process, so that the copy has no transfer that is half way through something.
 *
 *     gate_enter(&gate);
 *     ...a turn...
 *     gate_leave(&gate);
 *
 * Who enters waits for such a copy and for nothing else: a thread that was cancelled in a turn, or that
 * jumped out of one, leaves its gate closed, and whoever comes to work next takes it over. That two threads
 * do not work at once is the app's business, as in libcurl.
 *
 * Entered before any lock of ours is taken. A thread may enter one that it is in, for callbacks call us.
 */
#ifndef IDEMSHIM_SHIM_GATE_H
#define IDEMSHIM_SHIM_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct driver_lock {
  _Atomic uintptr_t inside; /* gate_thread() of who is in, as driver_lock.c writes it; 0: nobody */
  const void *user;         /* the same of the last one that went in to work */
  pid_t user_tid;
  unsigned depth;
};

void driver_lock_init(struct driver_lock *driver_lock);
void driver_lock_enter(struct driver_lock *driver_lock);

/* Another thread may have freed it on return. NULL is fine, and one that another thread has taken over. */
void driver_lock_leave(struct driver_lock *driver_lock);

/* Without waiting, and not to work with libcurl. False if a thread is inside, this one included. */
bool driver_lock_try(struct driver_lock *driver_lock);

/* True in the thread that is inside. */
bool driver_lock_is_ours(const struct driver_lock *driver_lock);

/* In it: true if the last who worked in there was this thread. */
bool driver_lock_was_ours(const struct driver_lock *driver_lock);

/* In it, by gate_try(): waits until the last who worked there sleeps in the kernel, where it does nothing to
 * libcurl, or until then (CLOCK_MONOTONIC). */
void driver_lock_await_sleep(const struct driver_lock *driver_lock, int64_t until_us);

/* Whoever comes to any gate waits until then (0: not at all), but for the thread that says so. */
void driver_lock_hold_all(int64_t until_us);

/* A name for this thread, as long as it lives; also in copies of it. */
const void *this_thread(void);

/* For pthread_atfork() alone: in the child. */
void driver_lock_after_fork(void);

#endif
