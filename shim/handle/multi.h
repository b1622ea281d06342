/* SPDX-License-Identifier: MIT */
/*
 * multi: the app's multi handles, the handles that are in them, and what of it is ours.
 *
 *     struct multi *multi = multi_find(handle);               // NULL: forward blindly
 *     if (multi_note_added(multi, shadow))
 *       ...curl_multi_add_handle(); multi_of(shadow) is the multi from now on...
 *     multi_note_removed(multi, shadow);
 *
 * The calls of ours are engine/multi_call.h, and the messages engine/messages.h: a transfer's end, where its
 * answer is committed, is read ahead of the app. Adding and removing cost the same however many are in it.
 *
 * Only multis that were made through us are known; libcurl's own, of curl_easy_perform(), is not among them.
 * Like its handle, a multi belongs to one thread at a time. Their memory is reused and never given back, so
 * that a lookup may touch one without a lock.
 */
#ifndef IDEMSHIM_SHIM_MULTI_H
#define IDEMSHIM_SHIM_MULTI_H

#include "shim/base/driver.h"
#include "shim/base/pointer_map.h"
#include "shim/base/timer_heap.h"
#include "shim/handle/shadow.h"

#include <sys/types.h>

struct call;

struct multi {
  union {
    struct pointer_entry entry; /* first */
    _Atomic(CURLM *) handle;    /* its key; NULL while unused */
  };
  const struct libcurl *lib;
  _Atomic uint32_t serial; /* grows with every use of this memory */
  struct call *calls;      /* of ours, under way */
  struct call *ready;      /* those whose callback has run: they may have to go live */
  struct call *guarded;    /* those that want a guard: they are looked at in each turn */
  struct call *following;  /* those that follow, and some that did */
  struct timer_heap looks; /* when which of those that are live has to be looked at */
  struct message *first_message, **last_message, *spare_message; /* read ahead of the app (messages.h) */
  struct message reserve_message;                                /* the spare one where there is no memory */
  unsigned message_count;
  unsigned added_again;   /* how often libcurl was given one of them that the app had added once */
  struct buffer resolved; /* whose addresses its handles have given libcurl (resolve.h) */
  struct shadow **in;     /* the handles in it */
  unsigned added, room;   /* how many there are, and may be */
  uint64_t turn;          /* how many it has had with calls of ours in it */
  bool reads_ahead;
  struct driver driver;       /* the thread that turns it, while calls of ours are in it */
  bool in_reader;             /* a body is being read: a callback, in which libcurl refuses to be called */
  struct call *first_storing; /* those that have ended and whose answers are being stored, */
  unsigned storing;           /* how many; the app's count of running handles has them */
  struct timer_heap waits;    /* the deadlines of those that have one */
  /* The descriptor that wakes the app's loop when one of them is stored (engine/multi_wake.h). */
  int wake; /* -1: it is not open */
  pid_t wake_of;
  bool wake_again;
  curl_socket_callback on_socket; /* the app's, */
  void *on_socket_data, *wake_assigned;
  bool wake_told; /* which knows of it */
  bool selects, notified;
  bool limited; /* the app has limited its connections, so that one may wait for another's */
};

struct multi *multi_new(CURLM *handle, const struct libcurl *lib); /* or NULL without memory */
struct multi *multi_find(CURLM *handle);                           /* or NULL: forward blindly */

/* The same without a lock: may miss one that is in the table, never finds wrongly. Most programs have none.
 */
extern struct pointer_map multi_map;
static inline struct multi *multi_glance(CURLM *handle)
{
  return pointer_map_count(&multi_map) ? pointer_map_glance(&multi_map, handle) : NULL;
}
void multi_free(struct multi *multi);

/* The app's multi that the handle is in, or NULL. */
struct multi *multi_of(const struct shadow *shadow);

/* Enters its driver if any call of ours is in it; to be left with driver_leave(). NULL is fine. */
static inline struct driver *multi_enter(struct multi *multi)
{
  if (!multi || !multi->calls)
    return NULL;
  driver_enter(&multi->driver);
  return &multi->driver;
}

/* The handle is in; false without memory: it must not be one of ours. */
bool multi_note_added(struct multi *multi, struct shadow *shadow);
/* One that is in has been given entries of RESOLVE. */
void multi_note_resolve(const struct shadow *shadow);
void multi_note_removed(struct multi *multi, struct shadow *shadow);

/* True if a callback of one of its transfers is running, as libcurl says it of itself, or has been left by a
 * jump: it then refuses all calls for good. */
bool multi_is_in_callback(const struct multi *multi);

#endif
