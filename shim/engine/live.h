/* SPDX-License-Identifier: MIT */
/* Calls that go upstream, on the app's own handle. */
#ifndef IDEMSHIM_SHIM_LIVE_H
#define IDEMSHIM_SHIM_LIVE_H

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

/* A live call between its two ends; in between, libcurl runs the transfer. */
struct live {
  struct request *request;
  enum live_kind kind;
  struct tee tee;
  struct rescue rescue;
  struct inflight inflight; /* OWNED, from the verdict on */
  struct stream_publish publish;
  struct upstream_key key;
  int64_t started_us; /* CLOCK_REALTIME */
  bool teed;
  char error[CURL_ERROR_SIZE]; /* libcurl's words for a tape */
};

void live_begin(struct live *live, struct request *request, enum live_kind kind);
void live_end(struct live *live, CURLcode code);

/* The app gave the transfer up before its end: nothing is kept. Its callbacks may be running still. */
void live_abandon(struct live *live, const char *why);

#endif
