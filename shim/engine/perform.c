/* SPDX-License-Identifier: MIT */
#include "shim/engine/perform.h"

#include "shim/engine/decide.h"
#include "shim/engine/follow.h"
#include "shim/replay/direct.h"
#include "shim/replay/marks.h"
#include "shim/replay/stream_follow.h"
#include "shim/runtime/settings.h"
#include "shim/tape/playback.h"
#include "shim/tape/recorder.h"
#include "shim/transport/feeder.h"
#include "shim/transport/transport.h"

/* A replay of a tape never does. */
static CURLcode go_live(struct request *request, const char *reason)
{
  if (request->tape.played)
    return deliver_failure(request, CURLE_OUT_OF_MEMORY);
  return live_run(request, decide_live(request, reason).kind);
}

static CURLcode delivered(struct request *request, CURLcode code, const char *via)
{
  request_delivered(request, via);
  if (request->tape.writer)
    recorder_end_replay(request, code, request->op.waited ? TAPE_JOIN : TAPE_HIT);
  request_leave(request, code == CURLE_OK);
  return code;
}

static CURLcode refuse(struct request *request, const struct problem *problem)
{
  struct problem_room room;
  CURLcode code = problem_deliver(request, problem, &room);
  recorder_end_replay(request, code, TAPE_REJECT);
  problem_release(&room);
  return code;
}

static CURLcode replay_directly(struct request *request)
{
  char marks[MARKS_SIZE];
  CURLcode code;
  marks_build(request, marks);
  if (!deliver_answer(request, marks, &code))
    return go_live(request, "no memory");
  return delivered(request, code, "direct");
}

static CURLcode replay_by_transport(struct request *request)
{
  struct transport transport;
  struct shadow *shadow = request->shadow;
  char marks[MARKS_SIZE];
  if (!transport_arm(&transport, request))
    return go_live(request, "no memory or descriptor for the transport");
  marks_build(request, marks);
  /* From now on the feeder may look at it. */
  if (request->speed > 0)
    request_unpin(request);
  if (stream_is_open(request))
    request_limit_time(request);
  if (!transport_answer(&transport, marks) || (stream_is_open(request) && !feeder_stream(&transport))) {
    transport_disarm(&transport, CURLE_OUT_OF_MEMORY);
    return go_live(request, "no memory or thread for the transport");
  }
  /* What is not in the socket yet would hold the map for as long as the app takes. */
  if (request->speed <= 0 && !transport.ended && !stream_is_joined(request))
    request_unpin(request);
  CURLcode code = shadow->lib->easy_perform(shadow->handle);
  if (request->tape.played)
    code = playback_end(request, code ? code : playback_trailers(request));
  else if (code == CURLE_OK && stream_is_joined(request))
    code = transport_settle(&transport);
  transport_disarm(&transport, code);
  return delivered(request, code, "transport");
}

static struct decision untouched(struct request *request, const char *reason)
{
  request_bypass(request, reason);
  return (struct decision){.route = ROUTE_LIVE, .kind = LIVE_UNTOUCHED};
}

/* Waits for the owner. FOLLOW: the call has ended meanwhile, with `code`. */
static struct decision follow(struct request *request, CURLcode *code)
{
  bool direct = settings()->delivery != IDEM_DELIVERY_TRANSPORT;
  struct decision decision = {.route = ROUTE_FOLLOW};
  enum follow end = FOLLOW_AGAIN;
  while (decision.route == ROUTE_FOLLOW && (end = follow_owner(request, code)) != FOLLOW_ENDED) {
    if (end == FOLLOW_BEGUN)
      decision = decide_stream(request, direct);
    else if (end == FOLLOW_TOO_LONG)
      decision = untouched(request, "wait");
    else if (request->shadow->disturbed)
      decision = untouched(request, "options changed while it waited");
    else
      decision = decide_again(request, direct);
  }
  return decision;
}

static CURLcode carry_out(struct request *request, struct decision decision)
{
  CURLcode code = CURLE_OK;
  if (decision.route == ROUTE_FOLLOW)
    decision = follow(request, &code);
  switch (decision.route) {
  case ROUTE_LIVE:
    return live_run(request, decision.kind);
  case ROUTE_DIRECT:
    return replay_directly(request);
  case ROUTE_TRANSPORT:
    return replay_by_transport(request);
  case ROUTE_PROBLEM:
    return refuse(request, decision.problem);
  case ROUTE_FOLLOW:
    recorder_end_replay(request, code, TAPE_JOIN); /* ended while it waited */
    break;
  }
  return code;
}

CURLcode idem_easy_perform(struct shadow *shadow, const struct idem_rule *rule)
{
  struct request request;
  struct decision decision = decide_first(&request, shadow, rule, true);
  CURLcode code = carry_out(&request, decision);
  shadow_end(shadow);
  request_release(&request);
  return code;
}
