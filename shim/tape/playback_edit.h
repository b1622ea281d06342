/* SPDX-License-Identifier: MIT */
/*
 * playback_edit: IDEMSHIM_REPLAY_EDIT, another body in the place of one that a tape has.
 *
 *     if (edit_apply(&request->tape.edit, number, &answer))
 *       ...`answer` points into the edit...
 *     edit_release(&request->tape.edit);
 */
#ifndef IDEMSHIM_SHIM_PLAYBACK_EDIT_H
#define IDEMSHIM_SHIM_PLAYBACK_EDIT_H

#include "shim/request/tape_state.h"

/* True if there is a file for exchange `number`. Then the answer has its bytes as the body, and their number
 * in Content-Length and in what getinfo tells; all else stays as it was recorded. A file that cannot be read
 * is said, and changes nothing. */
bool edit_apply(struct edit *edit, uint64_t number, struct idem_answer *answer);
void edit_release(struct edit *edit);

#endif
