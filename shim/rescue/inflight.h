/* SPDX-License-Identifier: MIT */
/*
 * The calls of this process that are upstream and may be rescued, of all threads, each with the gate that its
 * thread passes. For the exit of the process alone (at_exit.c).
 *
 * What a call is made of lives on its thread's stack. It is safe to touch for whoever holds its gate: its
 * thread must pass it to end the call. A thread that leaves a callback by a jump leaves its gate closed, and
 * one that ends in the middle of its call is noticed: its claim is let go.
 */
#ifndef IDEMSHIM_SHIM_UNDER_WAY_H
#define IDEMSHIM_SHIM_UNDER_WAY_H

#include "shim/base/driver_lock.h"
#include "store/store.h"

struct rescue;

struct inflight {
  struct inflight *next, **link; /* and what points here, under the list's lock; NULL: not in the list */
  struct rescue *rescue;
  struct driver_lock *driver_lock; /* its multi's; of the easy interface: */
  struct driver_lock own;
  const void *thread; /* gate_thread() of that */
  pid_t process;
  char id[IDEM_ID_SIZE]; /* for the log */
  bool looked_at, left;
  const struct idem_store_api *api;
  struct idem_store *store;
  struct idem_call op; /* its claim, as it was when the call began */
};

/* `of_multi` is the gate of the app's multi that the call is in, or NULL. NULL without memory. */
struct inflight *inflight_add(struct rescue *rescue, struct driver_lock *of_multi);

/* A copy of the process has its claim by now. NULL is fine. */
void inflight_handed_off(struct inflight *entry);

/* When nothing is left to be done for it; passes the gate. NULL is fine. */
void inflight_remove(struct inflight *entry);

/* The next one that nobody has looked at, with its gate held; or NULL, and how many there are whose thread is
 * inside. What this thread itself is inside of does not count. */
struct inflight *inflight_next_unseen(unsigned *busy);

/* All that are not left are given out once more. */
void inflight_unsee_all(void);

/* For those whose gate could not be had, one after the other: the id, or false. */
bool inflight_next_abandoned(char id[IDEM_ID_SIZE]);

/* For pthread_atfork() alone: a child has no call under way. */
void inflight_lock(void);
void inflight_unlock(void);
void inflight_after_fork(void);

#endif
