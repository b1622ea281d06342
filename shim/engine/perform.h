/* SPDX-License-Identifier: MIT */
/*
 * perform: the driver of a call (call.h) that blocks, for curl_easy_perform().
 *
 *     if (rule && stack_suffices())
 *       return idem_easy_perform(shadow, rule);
 *
 * A direct hit needs the caller's stack and nothing else. Everything else becomes a call on the heap, which
 * may wait for the owner of its operation, with the app's progress callback and timeout kept, before libcurl
 * runs it. Without memory for one it goes live, and says so.
 */
#ifndef IDEMSHIM_SHIM_PERFORM_H
#define IDEMSHIM_SHIM_PERFORM_H

#include "shim/handle/shadow.h"

/* Runs the transfer that a rule wants, and returns what the app is told. The shadow is
 * IDLE before and after. */
CURLcode idem_easy_perform(struct shadow *shadow, const struct idem_rule *rule);

#endif
