/* SPDX-License-Identifier: MIT */
/*
 * playback: IDEMSHIM_MODE=replay. The outcome of a call is what the tape has for it; never any network.
 *
 *     playback_find(&request);                        // op.answer and tape.ending
 *     ...op.answer is delivered, direct or by transport...
 *     code = playback_end(&request, code);
 *     playback_release(&request);
 *
 * An incident ended in errors as well as in answers, so that an outcome is an answer, or a part of one, and
 * an ending: a code and libcurl's words for it. A call that the tape does not have fails, and says which
 * recorded one is nearest. IDEMSHIM_REPLAY_EDIT puts another body in the place of a recorded one. All of it
 * belongs to the request's thread; the tape takes its own locks.
 */
#ifndef IDEMSHIM_SHIM_PLAYBACK_H
#define IDEMSHIM_SHIM_PLAYBACK_H

#include "shim/request/request.h"

/* Makes `request->op.answer` and `request->tape.ending` of what the tape has. A call that it does not have
 * ends with CURLE_COULDNT_CONNECT and a text that says which recorded one is nearest, and where they
 * differ. False: it is to go out, by IDEMSHIM_ON_MISS or IDEMSHIM_LIVE_FROM, and no tape answers it. */
bool playback_find(struct request *request);

/* Says what the call ends with, for a transfer that has ended with `code`: the recorded code, whose text is
 * put into the app's ERRORBUFFER; or `code`, where a callback of the app has ended it now. */
CURLcode playback_end(struct request *request, CURLcode code);

/* Frees what playback_find() has read. Does nothing for a request that no tape answers. */
void playback_release(struct request *request);

#endif
