/* SPDX-License-Identifier: MIT */
#include "shim/perform.h"

#include "shim/decide.h"
#include "shim/deliver.h"
#include "shim/follow.h"
#include "shim/life.h"
#include "shim/marks.h"
#include "shim/playback.h"
#include "shim/recorder.h"
#include "shim/transport.h"

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
  if (!transport_answer(&transport, marks)) {
    transport_disarm(&transport, CURLE_OUT_OF_MEMORY);
    return go_live(call, "no memory");
  }
  /* What is not in the socket yet would hold the map for as long as the app takes. */
  if (call->speed <= 0 && !transport.ended)
    call_unpin(call);
  CURLcode code = shadow->lib->easy_perform(shadow->handle);
  if (call->tape.played)
    code = playback_end(call, code ? code : playback_trailers(call));
  transport_disarm(&transport, code);
  return delivered(call, code, "transport");
}

/* Waits for the owner; true if the call is to be decided again. */
static bool follow(struct call *call, CURLcode *code)
{
  switch (follow_owner(call, code)) {
  case FOLLOW_TOO_LONG:
    call_bypass(call, "wait");
    break;
  case FOLLOW_ENDED:
    return false;
  case FOLLOW_AGAIN:
    if (!call->shadow->disturbed)
      return true;
    call_bypass(call, "options changed while it waited");
    break;
  }
  *code = live_run(call, LIVE_UNTOUCHED);
  return false;
}

static CURLcode carry_out(struct call *call, struct decision decision)
{
  bool direct = life_config()->delivery != IDEM_DELIVERY_TRANSPORT;
  CURLcode code = CURLE_OK;
  while (decision.way == WAY_FOLLOW && follow(call, &code))
    decision = decide_again(call, direct);
  switch (decision.way) {
  case WAY_LIVE:
    return live_run(call, decision.kind);
  case WAY_DIRECT:
    return replay_directly(call);
  case WAY_TRANSPORT:
    return replay_by_transport(call);
  case WAY_PROBLEM:
    return refuse(call, decision.problem);
  case WAY_FOLLOW:
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
