/* SPDX-License-Identifier: MIT */
/* Direct delivery: an answer goes to the app through its own callbacks, as libcurl would have called them,
 * without libcurl. */
#ifndef IDEMSHIM_SHIM_DIRECT_H
#define IDEMSHIM_SHIM_DIRECT_H

#include "shim/replay/progress.h"
#include "shim/request/request.h"

/* Why this answer cannot be delivered directly to this handle, or NULL. The call then goes live. */
const char *direct_refuses(const struct request *request, const struct idem_answer *answer);

/*
 * Gives `request->op.answer` to the app. `marks` are header lines that go in before the blank line that ends the
 * last header; may be "". Returns false, with nothing delivered, when there is no memory; else the app's
 * result is in `result`.
 */
bool direct_deliver(struct request *request, const char *marks, CURLcode *result);

/* The transfer ends with `code` before a byte came: what getinfo shows is that of a fresh transfer. */
CURLcode direct_fail(struct request *request, CURLcode code);

#endif
