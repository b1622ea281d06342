/* SPDX-License-Identifier: MIT */
/* CURLOPT_VERBOSE of a replay. What comes in is told as libcurl would; nothing goes out, and one line of text
 * says why. */
#ifndef IDEMSHIM_SHIM_DEBUG_H
#define IDEMSHIM_SHIM_DEBUG_H

#include "shim/request/request.h"

/* True if the app wants to be told. */
bool debug_wanted(const struct shadow *shadow);

/* Tells the debug callback, or prints to CURLOPT_STDERR what libcurl would print. */
void debug_show(struct shadow *shadow, curl_infotype type, const char *data, size_t len);

/* "Replayed by idemshim: nothing was sent. Answer ID of DATE", if the app wants to be told. */
/* A header line, round the app's own callback for it: until 8.7 libcurl shows the blank line afterwards, and
 * not at all for an interim answer [http.c, Curl_http_readwrite_headers]. */
void debug_before_header(struct shadow *shadow, const char *line, size_t len);
void debug_after_header(struct shadow *shadow, int status, const char *line, size_t len);

void debug_announce(const struct request *request);

#endif
