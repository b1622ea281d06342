/* SPDX-License-Identifier: MIT */
/*
 * live: a transfer that goes upstream, on the app's own handle.
 *
 *     live_begin(&live, &request, LIVE_OWNED);
 *     code = real->easy_perform(shadow->handle);      // or libcurl's multi does
 *     code = live_end(&live, code);                   // commits, and ends the claim
 *
 * Between the two ends the handle has our callbacks in front of the app's (tee.h), the upstream key among its
 * headers, and whatever a rescue needs; all of it is in the ledger of overrides and off again at the end. An
 * answer is committed before the app is told of it. In a copy of the process that has carried the transfer
 * on, live_end() does not return: the copy ends there. A failure to store is told once and changes nothing
 * for the app.
 *
 * A live belongs to its call, on the heap; its handle's thread alone touches it.
 */
#ifndef IDEMSHIM_SHIM_LIVE_H
#define IDEMSHIM_SHIM_LIVE_H

#include "shim/live/prerequest.h"
#include "shim/live/stream_publish.h"
#include "shim/live/tee.h"
#include "shim/live/upstream_key.h"
#include "shim/rescue/inflight.h"
#include "shim/rescue/rescue.h"

enum live_kind {
  LIVE_UNTOUCHED, /* as if we were not there; only a body that was read ahead is fed on */
  LIVE_OWNED,     /* with the upstream key, a tee, and a commit if it becomes an answer; ends the claim */
  LIVE_OBSERVED   /* observe mode: untouched but for a tee, and noted */
};

/* Everything that a live transfer has of ours. */
struct live {
  struct request *request;
  enum live_kind kind;
  struct tee tee;
  struct prerequest prerequest; /* OWNED */
  struct rescue rescue;
  struct inflight inflight; /* OWNED, from the verdict on */
  struct stream_publish publish;
  struct upstream_key key;
  struct idem_judge *judge; /* OWNED: has read what has come of the body; NULL: commit does */
  struct tee_listener judging;
  int64_t started_us; /* CLOCK_REALTIME */
  bool teed;
  struct idem_recording recording; /* OWNED, from the first half of its end on */
  struct buffer facts;
  bool gathered;               /* the store writes it with others */
  char error[CURL_ERROR_SIZE]; /* libcurl's words for a tape */
};

/* Announces it, puts what is ours on the handle. The state of the shadow is LIVE from here on. */
void live_begin(struct live *live, struct request *request, enum live_kind kind);

/* Puts back what the app has set, judges and commits what came, tells the tape and ends the claim. Returns
 * what the app is told. */
CURLcode live_end(struct live *live, CURLcode code);

/* The same in two halves: between them the answers of others that end in this turn are gathered,
 * to be written together. */
CURLcode live_end_first(struct live *live, CURLcode code, struct idem_gather *gather);
void live_end_last(struct live *live, CURLcode code);
/* Between the two: whether the second would not wait for the disk; after `wait` it does not. */
bool live_is_stored(struct live *live, bool wait);

/* The same for a transfer that the app gives up before its end: nothing is kept, and what has been sent is in
 * doubt. A callback of it may be running still. */
void live_abandon(struct live *live, const char *why);

#endif
