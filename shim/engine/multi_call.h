/* SPDX-License-Identifier: MIT */
/*
 * A flight: one call of the multi interface, from curl_multi_add_handle() to its end.
 *
 * A hit runs by transport. A miss runs live with a tee, and its answer is committed when libcurl says that it
 * is done, before the app is told. A follower runs by transport too, with nothing to read until its owner is
 * done; the header callback then finds out, in the app's thread, what has become of it. If it has to go live
 * after all, it is taken out and put in again with the app's own options, after the call of the multi
 * interface that it happened in: the app's count of running handles stays the same, and its loop is told by
 * libcurl.
 */
#ifndef IDEMSHIM_SHIM_FLIGHT_H
#define IDEMSHIM_SHIM_FLIGHT_H

#include "shim/handle/multi.h"

struct request;
struct multi_call;

/* curl_multi_add_handle() for a call that a rule wants. */
CURLMcode idem_multi_add_handle(struct multi *multi, struct shadow *shadow, const struct idem_rule *rule);

/*
 * A body that comes from a callback is read where libcurl would read it: in a call that may run callbacks,
 * and not in curl_multi_add_handle() (pycurl's gives up there). Until then the transfer is in the multi as
 * the app has made it. Call this before such a call; NULL is fine.
 */
void multi_call_read(struct multi *multi);

/* Before a turn of libcurl's: calls whose time is over are given to copies of the process. */
void multi_call_rescue(struct multi *multi);

/* After one: the same, and calls that want a guard get it. A copy that was made inside drives the multi from
 * here on, and does not come back. */
void multi_call_guard(struct multi *multi);

/* The app takes it away, and it may not be finished. */
void multi_call_give_up(struct multi_call *multi_call, const char *why);
void multi_call_give_up_all(struct multi *multi, const char *why);

/* libcurl is done with it. Returns what the app is told: a tape may have another end. */
CURLcode multi_call_end(struct multi_call *multi_call, CURLcode code);

/* The app has taken it out before its end. */
void multi_call_abandon(struct multi_call *multi_call);

/* After a call that may have run callbacks: flights that have to go live do. */
void multi_call_settle(struct multi *multi);

/* True if this thread has the same operation under way in a multi: waiting for it here would be for ever,
 * unless it is the very multi that `request` is for. */
bool multi_call_blocks(const struct request *request);

/* For pthread_atfork() alone: a child owns no operation. */
void multi_call_lock(void);
void multi_call_unlock(void);
void multi_call_begin_anew(void);

#endif
