/* SPDX-License-Identifier: MIT */
/*
 * direct: delivers an answer to the app through its own callbacks, as libcurl would have called them, without
 * libcurl. It is the quick way: a hit is some table lookups and the app's own work.
 *
 *     if (!direct_refuses(request, &request->op.answer) && direct_deliver(request, marks, &code))
 *       return code;                           // what curl_easy_perform() returns
 *
 * What an app could tell from a real transfer has no place here (sockets, cookies, redirects that are not
 * followed): direct_refuses() says so, and transport/ or a live call is left. A delivery runs in the thread
 * of curl_easy_perform(), blocks as it does, and takes no lock. It allocates nothing on a handle that has had
 * an answer of that size before; without memory nothing is delivered.
 */
#ifndef IDEMSHIM_SHIM_DIRECT_H
#define IDEMSHIM_SHIM_DIRECT_H

#include "shim/replay/progress.h"
#include "shim/request/request.h"

/* Why this answer cannot be delivered directly to this handle, or NULL. The call then goes another way. */
const char *direct_refuses(const struct request *request, const struct idem_answer *answer);

/*
 * Gives `request->op.answer` to the app. `marks` are header lines that go in before the blank line that ends
 * the last header; may be "". Returns false, with nothing delivered, when there is no memory; else the app's
 * result is in `result`.
 */
bool direct_deliver(struct request *request, const char *marks, CURLcode *result);

/* Gives the app the HTTP trailers behind the body; also of a transport, whose libcurl has seen none. One that
 * the app puts off ends the call as a refusal does. */
CURLcode direct_trailers(const struct request *request);

/* The transfer ends with `code` before a byte came: what getinfo shows is that of a fresh transfer. */
CURLcode direct_fail(struct request *request, CURLcode code);

#endif
