/* SPDX-License-Identifier: MIT */
/* CURLOPT_VERBOSE of a replay. What comes in is told as libcurl would; nothing goes out, and one line of text
 * says why. */
#ifndef IDEMSHIM_SHIM_DEBUG_H
#define IDEMSHIM_SHIM_DEBUG_H

#include "shim/call.h"

/* True if the app wants to be told. */
bool debug_wanted(const struct shadow *shadow);

/* Tells the debug callback, or prints to CURLOPT_STDERR what libcurl would print. */
void debug_show(struct shadow *shadow, curl_infotype type, const char *data, size_t len);

/* "Replayed by idemshim: nothing was sent. Answer ID of DATE", if the app wants to be told. */
void debug_announce(const struct call *call);

#endif
