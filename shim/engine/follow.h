/* SPDX-License-Identifier: MIT */
/* A call whose operation somebody else is sending at this moment. */
#ifndef IDEMSHIM_SHIM_FOLLOW_H
#define IDEMSHIM_SHIM_FOLLOW_H

#include "shim/request/request.h"

enum follow {
  FOLLOW_BEGUN,   /* its answer has begun to come (stream_follow.h) */
  FOLLOW_AGAIN,   /* something has changed: enter again */
  FOLLOW_ENDED,   /* the app's timeout or its progress callback ended the call; `code` is its result */
  FOLLOW_TOO_LONG /* the rule's wait= is over */
};

/* Waits for the owner, keeping the app's progress callback and timeout as libcurl would, and leaves this
 * round of the call, but for FOLLOW_BEGUN. */
enum follow follow_owner(struct request *request, CURLcode *code);

#endif
