/* SPDX-License-Identifier: MIT */
/*
 * decide: the store is asked about a request, and its verdict made into a way to go.
 *
 *     struct request request;
 *     struct decision decision = decide_first(&request, shadow, rule, true);
 *     switch (decision.route) {
 *     case ROUTE_DIRECT: direct_deliver(&request, marks, &code);  break;
 *     case ROUTE_LIVE:   live_begin(&live, &request, decision.kind);  break;
 *     ...
 *     }
 *
 * Every reason why a call goes live that would not have to is told here, as a `bypass` event and a counter:
 * an option that neither way of replaying knows, a store that fails, a key that is missing. Nothing here
 * touches libcurl's transfer. A request is asked about by the thread that its handle belongs to; the store
 * takes its own locks.
 */
#ifndef IDEMSHIM_SHIM_DECIDE_H
#define IDEMSHIM_SHIM_DECIDE_H

#include "shim/engine/live.h"
#include "shim/replay/own_answers.h"

/* Which way a call goes, and what the way needs. */
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
  const struct own_answer *problem;
};

/* Opens the request of a handle, reading its body ahead where it comes from the app, and asks about it.
 * `direct` says that the answer may go straight to the callbacks. After any decision the request must be
 * released; what its route says has been entered in the store must be left. */
struct decision decide_first(struct request *request, struct shadow *shadow, const struct idem_rule *rule,
                             bool direct);

/* Asks once more about a request that has waited, and has been left since. */
struct decision decide_again(struct request *request, bool direct);

/* Decides about an answer that has begun to come (stream_follow.h). FOLLOW says that this handle cannot take
 * it in pieces, and waits for the whole. */
struct decision decide_stream(struct request *request, bool direct);

/* Lets a request that has been left go live as if we were not there, and tells why. */
struct decision decide_untouched(struct request *request, const char *reason);

/* The same for one for which something is missing: leaves first what was entered. */
struct decision decide_live(struct request *request, const char *reason);

#endif
