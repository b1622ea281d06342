/* SPDX-License-Identifier: MIT */
/*
 * request_event: what the log, the counters and `idemshim explain` are told of a call.
 *
 *     request_event(&request, "live", reason, 0, -1);       // whatever became of it
 *     request_delivered(&request, "direct");                // it was answered by us
 *     request_bypass(&request, reason);                     // it goes live, which is counted too
 *
 * A request whose texts the app may have freed (shadow->disturbed) is told without them. The strings are
 * written at once, and none is kept.
 */
#ifndef IDEMSHIM_SHIM_REQUEST_EVENT_H
#define IDEMSHIM_SHIM_REQUEST_EVENT_H

#include "shim/request/request.h"

/* Tells the log what became of the call. `status` 0 and `ms` negative are left out. */
void request_event(const struct request *request, const char *name, const char *reason, int status,
                   int64_t ms);

/* hit or join: the answer has been delivered, `via` direct or transport. */
void request_delivered(const struct request *request, const char *via);

/* Tells that a sampled call goes out again, where it does. */
void request_tell_sample(const struct request *request);

/* Counts and tells that the call goes live. */
void request_bypass(const struct request *request, const char *reason);

#endif
