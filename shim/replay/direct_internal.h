/* SPDX-License-Identifier: MIT */
/*
 * direct_internal: a direct delivery under way, which direct.c drives and whose header direct_header.c
 * passes. It lies on the stack of direct_deliver(), and ends with it.
 */
#ifndef IDEMSHIM_SHIM_DIRECT_INTERNAL_H
#define IDEMSHIM_SHIM_DIRECT_INTERNAL_H

#include "shim/replay/progress.h"
#include "shim/request/request.h"

struct delivery {
  struct request *request;
  struct shadow *shadow;
  struct info *info;
  struct progress progress;
  int64_t length;      /* that the header gives the body; -1: it has not passed, or gives none */
  int64_t network_len; /* of the body, before it was decoded */
  size_t offered;      /* of the body: what the app has been given */
  bool held;           /* there was a pause in this header */
};

/* Passes every header block, line by line, as this version of libcurl does. */
CURLcode direct_headers(struct delivery *d);

/* True if FAILONERROR makes this answer an error; the error, with its text in the app's ERRORBUFFER. */
bool direct_fails_on_error(const struct delivery *d);
CURLcode direct_fail_on_error(struct delivery *d);

/* Gives data to the write callback, again after each pause that it asks for. With `lends` the callback may
 * write into it, and there is a byte behind it that may be written to meanwhile; else it is given a copy. */
CURLcode direct_write(struct delivery *d, const char *data, size_t len, bool lends);

/* Waits for the end of a pause, if there is one: a callback may take what it is given and pause what comes
 * after. curl_easy_pause() ends it, from a progress callback or from another thread, as with the real one. */
CURLcode direct_hold(struct delivery *d);

#endif
