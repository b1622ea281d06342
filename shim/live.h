/* SPDX-License-Identifier: MIT */
/* Calls that go upstream, on the app's own handle. */
#ifndef IDEMSHIM_SHIM_LIVE_H
#define IDEMSHIM_SHIM_LIVE_H

#include "shim/call.h"

/* As if we were not there; only a body that was read ahead is fed on. */
CURLcode live_untouched(struct call *call);

/* The owner's call: with the upstream key, a tee, and a commit if it became an answer. Ends the claim. */
CURLcode live_owned(struct call *call);

/* observe mode: untouched but for a tee, and noted. */
CURLcode live_observed(struct call *call);

#endif
