/* SPDX-License-Identifier: MIT */
/* Every exchange goes on the tape, as the app saw it: failures, partial bodies and replays too. */
#ifndef IDEMSHIM_SHIM_RECORDER_H
#define IDEMSHIM_SHIM_RECORDER_H

#include "shim/request/request.h"

/* The call starts: its place on the tape, and its name while its texts are there. Does nothing without a
 * tape. */
void recorder_begin(struct request *request);

/* A live transfer has ended. `outcome` says what the app was given, and how it ended; its status and its facts
 * are filled in here, the `trailers` among them. Does nothing without a tape. */
void recorder_end_live(struct request *request, struct tape_outcome *outcome, struct idem_span trailers,
                       enum tape_what what);

/* The app was given `request->op.answer`, or the shim's own answer, or waited for one until its patience ended.
 */
void recorder_end_replay(struct request *request, CURLcode code, enum tape_what what);

#endif
