/* SPDX-License-Identifier: MIT */
/*
 * recorder: every exchange goes on the tape (IDEMSHIM_TAPE), as the app saw it: failures, partial bodies and
 * replays too.
 *
 *     recorder_begin(&request, reason != NULL);
 *     ...the transfer...
 *     recorder_end_live(&request, &outcome, trailers, TAPE_LIVE);      // or
 *     recorder_end_replay(&request, code, TAPE_HIT);
 *
 * An exchange is named when it begins, for the app may free those texts in a callback. Without a tape each of
 * these is a comparison; a tape that cannot be written is told once, and the call goes on. The tape takes its
 * own locks.
 */
#ifndef IDEMSHIM_SHIM_RECORDER_H
#define IDEMSHIM_SHIM_RECORDER_H

#include "shim/request/request.h"

/* Takes the call's place on the tape, and names it while its texts are there. What goes out untouched has no
 * number among identical calls. */
void recorder_begin(struct request *request, bool untouched);

/* Writes a live transfer that has ended. `outcome` says what the app was given, and how it ended; its status
 * and its facts are filled in here, the `trailers` among them. */
void recorder_end_live(struct request *request, struct tape_outcome *outcome, struct idem_span trailers,
                       enum tape_what what);

/* Writes what was no live transfer: the app was given `request->op.answer`, or the shim's own answer, or
 * waited for one until its patience ended. */
void recorder_end_replay(struct request *request, CURLcode code, enum tape_what what);

#endif
