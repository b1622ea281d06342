/* SPDX-License-Identifier: MIT */
#include "shim/engine/perform.h"

#include "shim/engine/decide.h"
#include "shim/engine/follow.h"
#include "shim/replay/direct.h"
#include "shim/replay/marks.h"
#include "shim/replay/stream_follow.h"
#include "shim/runtime/runtime.h"
#include "shim/tape/playback.h"
#include "shim/tape/recorder.h"
#include "shim/transport/feeder.h"
#include "shim/transport/transport.h"

/* A replay of a tape never does. */
static CURLcode go_live(struct call *call, const char *reason)
{
  if (call->tape.played)
    return deliver_failure(call, CURLE_OUT_OF_MEMORY);
  return live_run(call, decide_live(call, reason).kind);
}

static CURLcode delivered(struct call *call, CURLcode code, const char *via)
{
  call_delivered(call, via);
  if (call->tape.writer)
    recorder_end_replay(call, code, call->op.waited ? TAPE_JOIN : TAPE_HIT);
  call_leave(call, code == CURLE_OK);
  return code;
}

static CURLcode refuse(struct call *call, const struct problem *problem)
{
  struct problem_room room;
  CURLcode code = problem_deliver(call, problem, &room);
  recorder_end_replay(call, code, TAPE_REJECT);
  problem_release(&room);
  return code;
}

static CURLcode replay_directly(struct call *call)
{
  char marks[MARKS_SIZE];
  CURLcode code;
  marks_build(call, marks);
  if (!deliver_answer(call, marks, &code))
    return go_live(call, "no memory");
  return delivered(call, code, "direct");
}

static CURLcode replay_by_transport(struct call *call)
{
  struct transport transport;
  struct shadow *shadow = call->shadow;
  char marks[MARKS_SIZE];
  if (!transport_arm(&transport, call))
    return go_live(call, "no memory or descriptor for the transport");
  marks_build(call, marks);
  /* From now on the feeder may look at it. */
  if (call->speed > 0)
    call_unpin(call);
  /* The transport gives it back. */
  if (stream_is_open(call))
    call_lend_rest_of_time(call);
  if (!transport_answer(&transport, marks) || (stream_is_open(call) && !feeder_stream(&transport))) {
    transport_disarm(&transport, CURLE_OUT_OF_MEMORY);
    return go_live(call, "no memory or thread for the transport");
  }
  /* What is not in the socket yet would hold the map for as long as the app takes. */
  if (call->speed <= 0 && !transport.ended && !stream_is_joined(call))
    call_unpin(call);
  CURLcode code = shadow->lib->easy_perform(shadow->handle);
  if (call->tape.played)
    code = playback_end(call, code ? code : playback_trailers(call));
  else if (code == CURLE_OK && stream_is_joined(call))
    code = transport_settle(&transport);
  transport_disarm(&transport, code);
  return delivered(call, code, "transport");
}

static struct decision untouched(struct call *call, const char *reason)
{
  call_bypass(call, reason);
  return (struct decision){.route = ROUTE_LIVE, .kind = LIVE_UNTOUCHED};
}

/* Waits for the owner. FOLLOW: the call has ended meanwhile, with `code`. */
static struct decision follow(struct call *call, CURLcode *code)
{
  bool direct = settings()->delivery != IDEM_DELIVERY_TRANSPORT;
  struct decision decision = {.route = ROUTE_FOLLOW};
  enum follow end = FOLLOW_AGAIN;
  while (decision.route == ROUTE_FOLLOW && (end = follow_owner(call, code)) != FOLLOW_ENDED) {
    if (end == FOLLOW_BEGUN)
      decision = decide_stream(call, direct);
    else if (end == FOLLOW_TOO_LONG)
      decision = untouched(call, "wait");
    else if (call->shadow->disturbed)
      decision = untouched(call, "options changed while it waited");
    else
      decision = decide_again(call, direct);
  }
  return decision;
}

static CURLcode carry_out(struct call *call, struct decision decision)
{
  CURLcode code = CURLE_OK;
  if (decision.route == ROUTE_FOLLOW)
    decision = follow(call, &code);
  switch (decision.route) {
  case ROUTE_LIVE:
    return live_run(call, decision.kind);
  case ROUTE_DIRECT:
    return replay_directly(call);
  case ROUTE_TRANSPORT:
    return replay_by_transport(call);
  case ROUTE_PROBLEM:
    return refuse(call, decision.problem);
  case ROUTE_FOLLOW:
    recorder_end_replay(call, code, TAPE_JOIN); /* ended while it waited */
    break;
  }
  return code;
}

CURLcode idem_easy_perform(struct shadow *shadow, const struct idem_rule *rule)
{
  struct call call;
  struct decision decision = decide_first(&call, shadow, rule, true);
  CURLcode code = carry_out(&call, decision);
  shadow_end(shadow);
  call_release(&call);
  return code;
}
