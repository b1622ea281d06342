/* SPDX-License-Identifier: MIT */
/* Answers that the shim itself gives: application/problem+json (RFC 9457), delivered like any other. */
#ifndef IDEMSHIM_SHIM_PROBLEM_H
#define IDEMSHIM_SHIM_PROBLEM_H

#include "shim/request/request.h"

struct problem {
  int status;
  const char *reason, *title, *detail;
};

extern const struct problem
    problem_mismatch; /* 422: the key was used with another content (IETF Idempotency-Key draft, 2.7) */
extern const struct problem problem_in_doubt; /* 409: nobody knows whether upstream did the work */

/* Where the text of one lies while it is delivered. */
struct problem_room {
  char body[640], headers[256];
  struct buffer facts;
  struct idem_chunk chunk;
};

/* Makes it `request->op.answer`. False without memory. Release the room in both cases. */
bool problem_prepare(struct request *request, const struct problem *problem, struct problem_room *room);
void problem_release(struct problem_room *room);

/* The same, delivered directly. */
CURLcode problem_deliver(struct request *request, const struct problem *problem, struct problem_room *room);

#endif
