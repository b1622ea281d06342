/* SPDX-License-Identifier: MIT */
/*
 * inflight: the calls of this process that own their operation, of all threads, from the verdict to the end
 * of their claim.
 *
 *     inflight_init(&call->inflight, free_call);
 *     inflight_add(&call->inflight, &call->request, multi ? &multi->driver : NULL);
 *     inflight_enter(&call->inflight);      // round curl_easy_perform()
 *     ...
 *     inflight_leave(&call->inflight);
 *     inflight_remove(&call->inflight);     // the claim is ended by now
 *     inflight_unref(&call->inflight);
 *
 * Three ask this list. A call asks whether it would wait for what its own thread has to carry on. When the
 * process exits, the exiting thread asks for its own (at_exit.h). And a thread that ends asks what it never
 * came back from, for an app may leave a callback by an exception, a jump, a cancel or pthread_exit(): the
 * claims are let go as unknown, so that a retry does not wait for ever.
 *
 * An entry is part of a call on the heap, which lives as long as anybody refers to it: its handle does, and
 * so does the thread that performs it, which finds out at its next look that another one has ended the call.
 *
 * The list has a lock, which is held for a few stores, and for the end of claims when a thread ends. What an
 * entry leads to belongs to the thread that drives it.
 */
#ifndef IDEMSHIM_SHIM_INFLIGHT_H
#define IDEMSHIM_SHIM_INFLIGHT_H

#include "shim/base/driver.h"
#include "shim/request/request.h"

#include <sys/types.h>

struct rescue;

struct inflight {
  struct inflight *next, **link; /* and what points here, under the list's lock; NULL: not in the list */
  struct inflight *outer;        /* the call whose callback made this one, of the same thread */
  void (*free)(struct inflight *entry);
  _Atomic unsigned refs;
  atomic_bool over; /* for the thread that performs it */
  struct request *request;
  struct rescue *rescue; /* NULL: not begun */
  struct driver *driver; /* its multi's; for the easy interface `own` */
  struct driver own;
  const void *frame; /* that the perform is in, on its thread's stack; NULL: none has entered */
  pid_t process;     /* a child that was made past the fork handlers finds its parent's calls */
  bool seen, handed_off;
};

/* With one reference, the caller's. */
void inflight_init(struct inflight *entry, void (*release)(struct inflight *entry));
void inflight_unref(struct inflight *entry);

/* `of_multi` is the driver of the app's multi that the call is in, or NULL. */
void inflight_add(struct inflight *entry, struct request *request, struct driver *of_multi);

/* A copy of the process has its claim by now. */
void inflight_handed_off(struct inflight *entry);

/* When nothing is left to be done for it. After it, its thread's end does not touch the claim. */
void inflight_remove(struct inflight *entry);

/* Round curl_easy_perform(): which calls this thread is inside of. */
extern __thread struct inflight *inflight_current;
void inflight_enter(struct inflight *entry);
void inflight_leave(struct inflight *entry);

/* True if the perform of this call will never come back: another thread asks, or this one from a frame that
 * lies outside of the perform's. False where a callback may be asking. */
bool inflight_is_left(const struct inflight *entry);

/* The innermost that is not over, or NULL. */
struct inflight *inflight_innermost(void);

/* Why waiting for this operation would be for ever, or NULL: this thread performs it, or drives its multi. In
 * the multi that the request itself is for, it may wait. */
const char *inflight_would_block(const struct request *request);

/* This thread turns a multi with such calls: its end is to be noticed. */
void inflight_watch_thread(void);

/* The next one of those that this thread drives, each once; NULL after the last. */
struct inflight *inflight_next_ours(void);

/* For rescue/fork.c: a child has no call under way. */
void inflight_lock(void);
void inflight_unlock(void);
void inflight_after_fork(void);

#endif
