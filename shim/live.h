/* SPDX-License-Identifier: MIT */
/* Calls that go upstream, on the app's own handle. */
#ifndef IDEMSHIM_SHIM_LIVE_H
#define IDEMSHIM_SHIM_LIVE_H

#include "shim/call.h"

/* As if we were not there; only a body that was read ahead is fed on. */
CURLcode live_untouched(struct call *call);

/* The owner's call: with the upstream key, a tee, and a commit if it became an answer. Ends the claim. */
CURLcode live_owned(struct call *call);

/* True if this thread is sending this operation at the moment: we are in one of its callbacks. */
bool live_is_ours(const struct call *call);

/* A callback has copied the handle, and with it what is ours: the copy gets the app's back. */
void live_take_from_copy(const struct shadow *shadow, CURL *copy);

/* observe mode: untouched but for a tee, and noted. */
CURLcode live_observed(struct call *call);

#endif
