/* SPDX-License-Identifier: MIT */
/*
 * The calls of the multi interface, from curl_multi_add_handle() to their end: the app turns them.
 *
 * A hit runs by transport. A miss runs live with a tee, and its answer is committed when libcurl says that it
 * is done, before the app is told (messages.h). A follower runs by transport too, with nothing to read until
 * its owner is done; the header callback then finds out, in the app's thread, what has become of it. If it
 * has to go live after all, it is taken out and put in again with the app's own options, after the call of
 * the multi interface that it happened in: the app's count of running handles stays the same, and its loop is
 * told by libcurl. One that cannot be put in again ends with a message of ours.
 *
 *     struct driver *driver = multi_enter(multi);
 *     multi_call_before_turn(multi);
 *     CURLMcode code = real->multi_perform(handle, &running);
 *     multi_call_after_turn(multi, code, &running);
 *     driver_leave(driver);
 */
#ifndef IDEMSHIM_SHIM_MULTI_CALL_H
#define IDEMSHIM_SHIM_MULTI_CALL_H

#include "shim/handle/multi.h"

struct call;

/* curl_multi_add_handle() for a call that a rule wants. */
CURLMcode idem_multi_add_handle(struct multi *multi, struct shadow *shadow, const struct idem_rule *rule);

/*
 * Bodies that come from a callback are read here, where libcurl would read them: in a call that may run
 * callbacks, and not in curl_multi_add_handle() (pycurl's gives up there). Until then the transfer is in the
 * multi as the app has made it. A call whose app has set options since it added the handle is decided anew,
 * for libcurl reads them in the first turn. Then calls whose time is over are given to copies of the
 * process. NULL is fine.
 */
void multi_call_before_turn(struct multi *multi);

/* Calls that want a guard get it, and those that have to go live do, unless libcurl has refused the turn, and
 * so has run no callback. A copy that was made inside drives the multi from here on, and does not come back.
 * `running` counts one less for each that was dropped. NULL is fine. */
void multi_call_after_turn(struct multi *multi, CURLMcode code, int *running);

/* The app takes it away, and it may not be finished. */
void multi_call_give_up(struct call *call, const char *why);
void multi_call_give_up_all(struct multi *multi, const char *why);

/* In a callback of the call's own transfer: the multi looks at it after the turn. */
void multi_call_ready(struct call *call);
void multi_call_unready(struct call *call);

/* The call goes live: from now on it is looked at when its deadline is near, when an answer begins, and now
 * and then. A turn costs the same however many idle calls the multi has. */
void multi_call_watch(struct call *call);
void multi_call_unwatch(struct call *call);

#endif
