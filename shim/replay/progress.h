/* SPDX-License-Identifier: MIT */
/*
 * progress: tells the app how far a transfer is that libcurl does not run, through its own callback, or by
 * libcurl's meter on CURLOPT_STDERR.
 *
 *     struct progress progress = {.started_us = monotonic_us()};
 *     progress.down += len;
 *     code = progress_update(shadow, &progress);      // CURLE_ABORTED_BY_CALLBACK: the app wants no more
 *
 * An app may end its transfer here and only here, so whoever waits asks again and again. Everything happens
 * in the thread of the transfer; there is no memory to run out of.
 */
#ifndef IDEMSHIM_SHIM_PROGRESS_H
#define IDEMSHIM_SHIM_PROGRESS_H

#include "shim/info/info.h"

struct progress {
  curl_off_t down_total, down, up_total, up; /* bytes; a total of 0 is not known */
  int64_t started_us;                        /* CLOCK_MONOTONIC */
  bool final;                                /* the last update of a transfer */
  const struct info *sent; /* its facts have what `up` and `up_total` are; NULL: they are what they are */
};

/* Takes over what the live call has sent: in chunks, its total was never known. */
void progress_take_sent(struct progress *progress, const struct info *info);

/* Tells the app, if it wants to know. CURLE_OK, or CURLE_ABORTED_BY_CALLBACK with libcurl's own message in
 * the error buffer. */
CURLcode progress_update(struct shadow *shadow, const struct progress *progress);

/* Returns what the app's callback says; CURL_PROGRESSFUNC_CONTINUE if it has none. */
int progress_ask(struct shadow *shadow, const struct progress *progress);

#endif
