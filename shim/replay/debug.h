/* SPDX-License-Identifier: MIT */
/*
 * debug: CURLOPT_VERBOSE of a replay. What comes in is told as libcurl would tell it; nothing goes out, and
 * one line of text says why.
 *
 *     debug_announce(request);
 *     debug_before_header(shadow, line, len);
 *     ...the app's own callback for the line...
 *     debug_after_header(shadow, status, line, len);
 *     debug_show(shadow, CURLINFO_DATA_IN, data, len);
 *
 * All of them do nothing for an app that does not want to be told. They run in the thread of the transfer,
 * and what the app's stream does not take is lost, as it is with libcurl.
 */
#ifndef IDEMSHIM_SHIM_DEBUG_H
#define IDEMSHIM_SHIM_DEBUG_H

#include "shim/request/request.h"

/* True if the app wants to be told. */
bool debug_wanted(const struct shadow *shadow);

/* Says "Replayed by idemshim: nothing was sent. Answer ID of DATE". */
void debug_announce(const struct request *request);

/* Tells the debug callback, or prints to CURLOPT_STDERR what libcurl would print. */
void debug_show(struct shadow *shadow, curl_infotype type, const char *data, size_t len);

/* A header line is shown before the app's own callback has it. Until 8.7 libcurl shows the blank line
 * afterwards, and not at all for an interim answer [http.c, Curl_http_readwrite_headers]. */
void debug_before_header(struct shadow *shadow, const char *line, size_t len);
void debug_after_header(struct shadow *shadow, int status, const char *line, size_t len);

#endif
