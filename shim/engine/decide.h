/* SPDX-License-Identifier: MIT */
/* What becomes of a call that a rule wants: the store is asked, and its verdict made into a way to go. */
#ifndef IDEMSHIM_SHIM_DECIDE_H
#define IDEMSHIM_SHIM_DECIDE_H

#include "shim/engine/live.h"
#include "shim/replay/problem.h"

enum route {
  ROUTE_LIVE,      /* kind says how; told and counted */
  ROUTE_DIRECT,    /* request->op.answer */
  ROUTE_TRANSPORT, /* request->op.answer */
  ROUTE_PROBLEM,   /* the shim's own answer, `problem` */
  ROUTE_FOLLOW     /* somebody else is sending it: wait, leave, decide again */
};

struct decision {
  enum route route;
  enum live_kind kind;
  const struct problem *problem;
};

/* Opens a call on a handle and names its request. `direct`: the answer may go straight to the callbacks.
 * After any decision the call must be released. */
struct decision decide_first(struct request *request, struct shadow *shadow, const struct idem_rule *rule,
                             bool direct);

/* The same once more for a call that has waited, which was left. */
struct decision decide_again(struct request *request, bool direct);

/* The answer of a call that waits has begun to come (stream_follow.h). FOLLOW: not for this handle, which
 * waits for the whole. */
struct decision decide_stream(struct request *request, bool direct);

/* One that has been left goes live as if we were not there, and says why. */
struct decision decide_untouched(struct request *request, const char *reason);

/* A call for which something is missing goes live, and says why. Leaves what was entered. */
struct decision decide_live(struct request *request, const char *reason);

#endif
