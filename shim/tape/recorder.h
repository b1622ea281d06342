/* SPDX-License-Identifier: MIT */
/* Every exchange goes on the tape, as the app saw it: failures, partial bodies and replays too. */
#ifndef IDEMSHIM_SHIM_RECORDER_H
#define IDEMSHIM_SHIM_RECORDER_H

#include "shim/request/request.h"

struct tee;

/* The call starts: its place on the tape, and its name while its texts are there. Does nothing without a
 * tape. */
void recorder_begin(struct request *request);

/* A live transfer has ended. `tee` has what the app was given. */
void recorder_end_live(struct request *request, const struct tee *tee, CURLcode code, const char *error_text,
                       enum tape_what what);

/* The app was given `request->op.answer`, or the shim's own answer, or waited for one until its patience ended.
 */
void recorder_end_replay(struct request *request, CURLcode code, enum tape_what what);

#endif
