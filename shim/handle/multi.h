/* SPDX-License-Identifier: MIT */
/*
 * The app's multi handles: which of their transfers are ours, and the messages that we have read ahead of the
 * app, since a transfer's end is where its answer is committed.
 *
 * Only multis that were made through us are known; libcurl's own, of curl_easy_perform(), is not among them.
 * Like its handle, a multi belongs to one thread at a time. Their memory is reused and never given back, so
 * that a lookup may touch one without a lock.
 */
#ifndef IDEMSHIM_SHIM_MULTI_H
#define IDEMSHIM_SHIM_MULTI_H

#include "shim/base/driver.h"
#include "shim/base/pointer_map.h"
#include "shim/handle/shadow.h"

struct multi_call;

struct multi {
  union {
    struct pointer_entry entry; /* first */
    _Atomic(CURLM *) handle;    /* its key; NULL while unused */
  };
  const struct libcurl *lib;
  _Atomic uint32_t serial;        /* grows with every use of this memory */
  struct multi_call *multi_calls; /* of ours, under way */
  CURLMsg **messages;             /* read ahead of the app, oldest first */
  unsigned message_count, message_room;
  struct shadow **in; /* the handles in it */
  unsigned added;     /* how many: each can have one message */
  unsigned unread;    /* flights that are still to be named */
  bool reads_ahead;
  struct driver driver; /* the thread that turns it, while calls of ours are in it */
  bool in_reader;       /* of an unread flight: a callback, in which libcurl refuses to be called */
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
  if (!multi || !multi->multi_calls)
    return NULL;
  driver_enter(&multi->driver);
  return &multi->driver;
}

/* The handle is in; false without memory for its message: it must not be one of ours. */
bool multi_note_added(struct multi *multi, struct shadow *shadow);
void multi_note_removed(struct multi *multi, struct shadow *shadow, CURL *handle);

/* A message lives in its handle, and ends with the removal: also of a handle that has no shadow. */
void multi_drop_message(struct multi *multi, const CURL *handle);

/* Reads all of libcurl's messages, and ends the flights that they are about. */
void multi_read_ahead(struct multi *multi);

/* The app's curl_multi_info_read(). */
CURLMsg *multi_take_message(struct multi *multi, int *left);

/* For pthread_atfork() alone. */
void multi_lock_all(void);
void multi_unlock_all(void);
void multi_begin_anew(void);

#endif
