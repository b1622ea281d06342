/* SPDX-License-Identifier: MIT */
/*
 * What has come of a live call, for those who wait for it: an answer in pieces is put into the call's spool
 * once somebody asks, and at once by a copy of the process, whose call is about to be asked for again.
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
  bool begun, failed;
};

/* An OWNED call begins. */
void stream_publish_begin(struct stream_publish *publish, struct tee *tee, int64_t started_us);

/* After a turn of libcurl's loop: has somebody begun to follow? Does nothing for one that is zeroed. */
void stream_publish_look(struct stream_publish *publish);

/* A copy of the process goes on with it. What libcurl has in memory may still come here. */
void stream_publish_stop(struct stream_publish *publish);

/* The transfer is over, before the claim is left. */
void stream_publish_end(struct stream_publish *publish, CURLcode code);

#endif
