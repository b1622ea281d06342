/* SPDX-License-Identifier: MIT */
/*
 * stream_publish: gives what has come of a live call to those who wait for it. An answer in pieces is put
 * into the call's spool in the store once somebody asks, and at once by a copy of the process, whose call
 * is about to be asked for again. replay/stream_follow reads it.
 *
 *     stream_publish_begin(&publish, &tee, started_us);     // listens to the tee
 *     ...after each turn of libcurl's loop: stream_publish_look(&publish)...
 *     stream_publish_end(&publish, code);
 *
 * It runs in the thread that drives the transfer. Where the store refuses a piece, the followers wait for the
 * whole answer, as they do for one that is no stream.
 */
#ifndef IDEMSHIM_SHIM_STREAM_PUBLISH_H
#define IDEMSHIM_SHIM_STREAM_PUBLISH_H

#include "shim/live/tee.h"

struct stream_publish {
  struct request *request; /* NULL: nobody may follow it */
  const struct tee *tee;
  struct tee_listener listener;
  int64_t started_us; /* CLOCK_REALTIME */
  bool wanted;        /* without being asked */
  size_t chunks;      /* of the tee, that the followers have or could have */
  bool begun, failed;
};

/* Begins for an OWNED call. `started_us` is its CLOCK_REALTIME. */
void stream_publish_begin(struct stream_publish *publish, struct tee *tee, int64_t started_us);

/* Asks whether somebody has begun to follow; call it after a turn of libcurl's loop. Does nothing for one
 * that is zeroed. */
void stream_publish_look(struct stream_publish *publish);

/* Puts nothing more in: a copy of the process goes on with it, while what libcurl has in memory may still
 * come here. */
void stream_publish_stop(struct stream_publish *publish);

/* Says that the transfer is over; call it before the claim is left. */
void stream_publish_end(struct stream_publish *publish, CURLcode code);

#endif
