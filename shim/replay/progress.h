/* SPDX-License-Identifier: MIT */
/* Progress of a transfer that libcurl does not run: the app's callback, or libcurl's own meter on
 * CURLOPT_STDERR. */
#ifndef IDEMSHIM_SHIM_PROGRESS_H
#define IDEMSHIM_SHIM_PROGRESS_H

#include "shim/handle/shadow.h"

struct progress {
  curl_off_t down_total, down, up_total, up;
  int64_t started_us;
  bool final; /* the last update of a transfer */
};

/* Tells the app, if it wants to know. CURLE_OK, or CURLE_ABORTED_BY_CALLBACK with libcurl's own message in
 * the error buffer. */
CURLcode progress_update(struct shadow *shadow, const struct progress *progress);

/* What the app's callback says; CURL_PROGRESSFUNC_CONTINUE if it has none. */
int progress_ask(struct shadow *shadow, const struct progress *progress);

#endif
