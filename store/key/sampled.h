/* SPDX-License-Identifier: MIT */
/*
 * sampled: would asking again give another answer, and is that what an identical call is for? repeats=auto
 * takes the n-th such call of a process for an operation of its own.
 *
 *     name->sampled = sampled_is(request);
 *     if (sampled_is_numbered(rule->repeats, name->sampled))
 *       number = repeats_take(&store->repeats, name->base);
 *
 * It reads the body once and keeps nothing. What it says is remembered beside the digest of the request's
 * bytes, so that a repeat is not read again.
 */
#ifndef IDEMSHIM_STORE_SAMPLED_H
#define IDEMSHIM_STORE_SAMPLED_H

#include "store/store.h"

/* True for a POST that nothing makes deterministic; the tables are in sampled.c. */
bool sampled_is(const struct idem_request *request);

/* Whether identical calls are numbered under this repeats=. */
static inline bool sampled_is_numbered(enum idem_repeats repeats, bool sampled)
{
  return repeats == IDEM_REPEATS_SEQUENCE || (repeats == IDEM_REPEATS_AUTO && sampled);
}

#endif
