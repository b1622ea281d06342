/* SPDX-License-Identifier: MIT */
/* A direct delivery under way; what direct.c and direct_header.c share. */
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
  bool unpinned;
  bool held; /* there was a pause in this header */
};

/* Every header block, line by line, as this version of libcurl passes them. */
CURLcode direct_headers(struct delivery *d);

/* With FAILONERROR the answer is an error: CURLE_HTTP_RETURNED_ERROR, and its text. */
bool direct_fails_on_error(const struct delivery *d);
CURLcode direct_fail_on_error(struct delivery *d);

/* To the write callback, as often as it pauses at it. */
CURLcode direct_write(struct delivery *d, char *data, size_t len);

/* A callback may also take what it is given, and pause what comes after. */
CURLcode direct_hold(struct delivery *d);

#endif
