/* SPDX-License-Identifier: MIT */
/*
 * inflight: the calls of this process that are upstream and may be rescued, of all threads.
 *
 *     entry = inflight_add(rescue, request, multi ? &multi->driver : NULL);
 *     ...the transfer...
 *     inflight_remove(entry);
 *
 * Two moments need them. When the process exits, the exiting thread asks for its own (at_exit.h). And a thread
 * that ends in the middle of curl_easy_perform(), cancelled or by pthread_exit(), takes the stack with it that
 * its call lives on: its claim is let go as unknown, so that a retry does not wait for it.
 *
 * The list has a lock, which is held for a few stores. What an entry leads to belongs to the thread that
 * drives it; the claim is copied into the entry, for the end of the thread.
 */
#ifndef IDEMSHIM_SHIM_INFLIGHT_H
#define IDEMSHIM_SHIM_INFLIGHT_H

#include "shim/base/driver.h"
#include "shim/request/request.h"

#include <sys/types.h>

struct rescue;

struct inflight {
  struct inflight *next, **link; /* and what points here, under the list's lock; NULL: not in the list */
  struct rescue *rescue;
  struct driver *driver; /* its multi's; for the easy interface `own` */
  struct driver own;
  pid_t process; /* a child that was made past the fork handlers finds its parent's calls */
  bool seen;
  const struct idem_store_api *api;
  struct idem_store *store;
  struct idem_call op; /* its claim, as it was when the call began */
};

/* `of_multi` is the driver of the app's multi that the call is in, or NULL. NULL without memory. */
struct inflight *inflight_add(struct rescue *rescue, const struct request *request, struct driver *of_multi);

/* A copy of the process has its claim by now. NULL is fine. */
void inflight_handed_off(struct inflight *entry);

/* When nothing is left to be done for it. NULL is fine. */
void inflight_remove(struct inflight *entry);

/* The next one of those that this thread drives, each once; NULL after the last. */
struct inflight *inflight_next_ours(void);

/* For rescue/fork.c: a child has no call under way. */
void inflight_lock(void);
void inflight_unlock(void);
void inflight_after_fork(void);

#endif
