/* SPDX-License-Identifier: MIT */
/* IDEMSHIM_MODE=replay: the outcome of a call is what the tape has for it. Never any network. */
#ifndef IDEMSHIM_SHIM_PLAYBACK_H
#define IDEMSHIM_SHIM_PLAYBACK_H

#include "shim/request/request.h"

/* Makes `request->op.answer` and `request->tape.ending` of what the tape has. A call that it does not have ends
 * with CURLE_COULDNT_CONNECT and a text that says which recorded one is nearest, and where they differ. */
void playback_find(struct request *request);

/* Behind the body, the HTTP trailers that were recorded: libcurl's own parser has seen none. */
CURLcode playback_trailers(const struct request *request);

/* What the call ends with, for a transfer that has ended with `code`: the recorded code, whose text is put
 * into the app's ERRORBUFFER; or `code`, where a callback of the app has ended it now. */
CURLcode playback_end(struct request *request, CURLcode code);

void playback_release(struct request *request);

#endif
