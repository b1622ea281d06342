/* SPDX-License-Identifier: MIT */
#include "shim/engine/call.h"

#include "shim/engine/messages.h"
#include "shim/engine/multi_call.h"
#include "shim/engine/multi_wake.h"
#include "shim/handle/overrides.h"
#include "shim/replay/direct.h"
#include "shim/replay/own_answers.h"
#include "shim/replay/stream_follow.h"
#include "shim/request/request_event.h"
#include "shim/request/request_time.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/tape/playback.h"
#include "shim/tape/recorder.h"
#include "shim/transport/feeder.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

/* Life. */

/* Its handle and the thread that performs it refer to it, and either may be the last. */
static void free_call(struct inflight *entry)
{
  free((char *)entry - offsetof(struct call, live.inflight));
}

_Atomic unsigned call_in_multis;

struct call *call_new(struct request *request, struct shadow *shadow, struct multi *multi)
{
  struct call *call = malloc(sizeof(*call));
  if (!call)
    return NULL;
  /* A request is most of it, and comes whole. */
  size_t moved = request ? offsetof(struct call, state) : 0;
  buffer_zero((char *)call + moved, sizeof(*call) - moved);
  if (request)
    request_move(&call->request, request);
  inflight_init(&call->live.inflight, free_call);
  call->request.shadow = shadow;
  shadow->call = call;
  call->multi = multi;
  if (multi) {
    call->next = multi->calls;
    call->link = &multi->calls;
    if (call->next)
      call->next->link = &call->next;
    multi->calls = call;
    call->turn = multi->turn;
    /* The adding is one entry, and the turn that it is in another. */
    call->inside = multi->driver.depth > 1;
    atomic_fetch_add(&call_in_multis, 1);
  }
  return call;
}

void call_join(struct call *call, struct call **list)
{
  if (call->alike_link) {
    *call->alike_link = call->next_alike;
    if (call->next_alike)
      call->next_alike->alike_link = call->alike_link;
  }
  call->alike_link = list;
  if (!list)
    return;
  call->next_alike = *list;
  if (call->next_alike)
    call->next_alike->alike_link = &call->next_alike;
  *list = call;
}

void call_close_request(struct request *request)
{
  request_release(request);
  playback_release(request);
  if (request->stream)
    stream_follow_free(request);
}

void call_free(struct call *call)
{
  if (!call)
    return;
  call_close_request(&call->request);
  tee_release(&call->live.tee);
  own_answers_release(&call->room);
  inflight_unref(&call->live.inflight);
}

/* Out of its multi's lists; the shadow has no call any more. */
static void unlist(struct call *call)
{
  struct multi *multi = call->multi;
  call->request.shadow->call = NULL;
  if (!multi)
    return;
  *call->link = call->next;
  if (call->next)
    call->next->link = call->link;
  messages_forget(call);
  /* The app is told of the last one: it has the threads then that it had before. */
  if (atomic_fetch_sub(&call_in_multis, 1) == 1 && call->request.api)
    call->request.api->rest();
  multi_call_unready(call);
  multi_call_unwatch(call);
}

/* Beginning. */

/* The app got the answer of the request, or a part of it. */
static void end_replay(struct request *request, CURLcode code, const char *via)
{
  request_delivered(request, via);
  recorder_end_replay(request, code, request->op.waited ? TAPE_JOIN : TAPE_HIT);
  request_leave(request, code == CURLE_OK);
}

bool call_deliver(struct request *request, struct decision *decision, CURLcode *code)
{
  if (decision->route == ROUTE_PROBLEM) {
    struct own_answers_room room;
    *code = own_answers_deliver(request, decision->problem, &room);
    recorder_end_replay(request, *code, TAPE_REJECT);
    own_answers_release(&room);
    return true;
  }
  if (decision->route != ROUTE_DIRECT)
    return false;
  char marks[OWN_ANSWERS_MARKS_SIZE];
  own_answers_mark(request, marks);
  /* False where nothing was delivered yet, and so another way may be gone. */
  if (direct_deliver(request, marks, code)) {
    end_replay(request, *code, "direct");
    return true;
  }
  if (request->tape.played) {
    *code = direct_fail(request, CURLE_OUT_OF_MEMORY);
    return true;
  }
  *decision = decide_live(request, "no memory");
  return false;
}

/* Into the transport, which is armed. */
static bool play(struct call *call)
{
  struct request *request = &call->request;
  struct transport *transport = &call->transport;
  char marks[OWN_ANSWERS_MARKS_SIZE] = "";
  call->state = CALL_TRANSPORT;
  if (call->problem) {
    if (!own_answers_prepare(request, call->problem, &call->room))
      return false;
  } else {
    own_answers_mark(request, marks);
    /* The room of its thread is for one call at a time. */
    if (call->multi && !stream_follow_is_joined(request))
      request_unpin(request);
    /* In a multi libcurl has counted from the beginning. */
    if (!call->multi && stream_follow_is_open(request))
      request_limit_time(request);
  }
  return transport_answer(transport, marks) && (!stream_follow_is_open(request) || feeder_stream(transport));
}

/* Its owner is done, or has something for us: in a header callback of the follower's own transfer. */
static void on_poke(void *owner)
{
  struct call *call = owner;
  struct request *request = &call->request;
  feeder_forget(&call->transport);
  bool done = request->api->wait(request->store, &request->op, 0) == 0;
  call_look(call, done);
  if (call->state == CALL_FOLLOWING || call_is_owner(call))
    feeder_owned(request);
  else if (done || call->state == CALL_TRANSPORT)
    feeder_answered(request->op.key);
}

static bool arm(struct call *call, enum route route)
{
  struct transport *transport = &call->transport;
  if (!transport_arm(transport, &call->request))
    return false;
  transport->owner = call;
  transport->on_poke = on_poke;
  call->state = CALL_FOLLOWING;
  /* One that is made anew keeps its place. */
  if (route == ROUTE_FOLLOW && !call->alike_link)
    call_join(call, &call->multi->following);
  if (route == ROUTE_FOLLOW ? feeder_follow(transport) : play(call))
    return true;
  transport_disarm(transport, CURLE_OUT_OF_MEMORY);
  return false;
}

/* From the verdict on, and not from its first byte: whoever would wait for it is told by this. */
static void own(struct call *call)
{
  struct request *request = &call->request;
  if (call->kind != LIVE_OWNED)
    return;
  inflight_add(&call->live.inflight, request, call->multi ? &call->multi->driver : NULL);
  /* The turns of a multi are seen from here on, or are not made. */
  if (call->multi)
    request->api->sign(&request->op, IDEM_SIGN_TURN);
}

/* A replay never goes live, nor does what is refused. libcurl refuses a transfer without a URL, and
 * touches no network for it. */
static enum call_step starve(struct call *call)
{
  struct shadow *shadow = call->request.shadow;
  if (!call->multi) {
    call->state = CALL_DIRECT;
    call->code = direct_fail(&call->request, CURLE_OUT_OF_MEMORY);
    return CALL_DONE;
  }
  call->state = CALL_STARVED;
  override_set(shadow, CURLOPT_CURLU, NULL);
  override_set(shadow, CURLOPT_URL, NULL);
  return CALL_RUN;
}

enum call_step call_begin(struct call *call, struct decision decision)
{
  struct request *request = &call->request;
  if (!call->multi && decision.route == ROUTE_FOLLOW) {
    call->state = CALL_WAITING;
    return CALL_WAIT;
  }
  if (!call->multi && decision.route != ROUTE_LIVE) {
    call->state = CALL_DIRECT;
    if (call_deliver(request, &decision, &call->code))
      return CALL_DONE;
  }
  call->problem = decision.problem;
  if (decision.route != ROUTE_LIVE) {
    if (arm(call, decision.route))
      return CALL_RUN;
    if (request->tape.played || call->problem)
      return starve(call);
    decision = decide_live(request, "no memory, descriptor or thread for the transport");
  }
  call->kind = decision.kind;
  call->state = CALL_LIVE;
  own(call);
  live_begin(&call->live, request, call->kind);
  multi_call_watch(call);
  return CALL_RUN;
}

/* Goes on as was decided, with a transport that has nothing to read yet. */
static enum call_step go_on(struct call *call, struct decision decision)
{
  struct request *request = &call->request;
  call->problem = decision.problem;
  if (decision.route == ROUTE_FOLLOW && feeder_follow(&call->transport))
    return CALL_RUN;
  if ((decision.route == ROUTE_TRANSPORT || decision.route == ROUTE_PROBLEM) && play(call))
    return CALL_RUN;
  if (decision.route != ROUTE_LIVE)
    decision = decide_live(request, "no memory or thread for the transport");
  call->state = CALL_DUE;
  call->kind = decision.kind;
  own(call);
  multi_call_ready(call);
  return CALL_RUN;
}

/* An owner that has stalled is waited for no longer. The event tells it each time, and a
 * line once in a process. */
static void pass(struct request *request, const char *stalled)
{
  const struct idem_request *bytes = &request->bytes;
  request->stalled = stalled;
  request->op.passed += request->op.passed < IDEM_PASS_ALL;
  report_count(IDEM_COUNTER_owner_stalled);
  request_event(request, "owner_stalled", stalled, 0, -1);
  if (report_first(request->rule, ONCE_STALLED))
    report_line_to_stderr("%.*s%.*s is under way already, but %s: it is not waited for any longer",
                          (int)bytes->origin.len, bytes->origin.data, (int)bytes->path.len, bytes->path.data,
                          stalled);
}

enum call_step call_look(struct call *call, bool done)
{
  struct request *request = &call->request;
  bool direct = !call->multi && settings()->delivery != IDEM_DELIVERY_TRANSPORT;
  bool disturbed = request->shadow->disturbed;
  struct decision decision = {.route = ROUTE_FOLLOW};
  /* With usage=zero the stream is waited for to its end, for its pieces may cut what it says of its usage. */
  if (!disturbed && request->rule->usage != IDEM_USAGE_ZERO && stream_follow_has_begun(request))
    decision = decide_stream(request, direct);
  if (decision.route != ROUTE_FOLLOW) {
    if (!call->multi)
      return call_begin(call, decision);
    if (play(call))
      return CALL_RUN;
    call->state = CALL_FOLLOWING;
    stream_follow_refuse(request);
  }
  uint64_t waited_ms = (uint64_t)(monotonic_us() - request->started_us) / 1000;
  bool over = !done && request->rule->wait_ms != IDEM_FOREVER_MS && waited_ms >= request->rule->wait_ms;
  const char *stalled = done ? NULL : request->api->stalled(request->store, &request->op, false);
  request->op.waited = true;
  /* Left and entered again, since the store decides anew; one that will be back keeps its number. */
  request->op.returns = !disturbed;
  request->api->leave(request->store, &request->op, false);
  if (over)
    request->op.passed = IDEM_PASS_ALL;
  else if (stalled)
    pass(request, stalled);
  decision = disturbed ? decide_untouched(request, "options changed while it waited")
                       : decide_again(request, direct);
  return call->multi ? go_on(call, decision) : call_begin(call, decision);
}

void call_follow_anew(struct call *call)
{
  transport_disarm(&call->transport, CURLE_OK);
  call->request.op.waited = true;
  call_begin(call, (struct decision){.route = ROUTE_FOLLOW});
  if (call->state == CALL_FOLLOWING)
    request_limit_time(&call->request);
}

void call_go_live(struct call *call)
{
  transport_disarm(&call->transport, CURLE_OK);
  call->state = CALL_LIVE;
  live_begin(&call->live, &call->request, call->kind);
  multi_call_watch(call);
}

/* Ending. */

/* Those who wait for it in this process look at once. */
static void end_ownership(struct call *call)
{
  inflight_remove(&call->live.inflight);
  feeder_owner_ended(call->request.op.key);
}

static void end_transport(struct call *call, CURLcode code)
{
  struct request *request = &call->request;
  transport_disarm(&call->transport, code);
  if (call->state == CALL_TRANSPORT && !call->problem) {
    end_replay(request, code, "transport");
    return;
  }
  recorder_end_replay(request, code, call->problem ? TAPE_REJECT : TAPE_JOIN);
  /* The others have been left. */
  if (call->state == CALL_FOLLOWING || call_is_owner(call))
    request_leave(request, false);
  if (call_is_owner(call))
    end_ownership(call);
}

static CURLcode finish(struct call *call, CURLcode code)
{
  struct request *request = &call->request;
  bool owner = call_is_owner(call);
  switch (call->state) {
  case CALL_LIVE:
    code = live_end(&call->live, code);
    if (owner)
      end_ownership(call);
    break;
  case CALL_STORING:
    live_end_last(&call->live, call->code);
    if (owner)
      end_ownership(call);
    break;
  case CALL_TRANSPORT:
    if (code == CURLE_OK && stream_follow_is_joined(request))
      code = transport_settle(&call->transport);
    if (code == CURLE_OK)
      code = direct_trailers(request);
    /* The last word is the tape's, whatever the delivery has come to. */
    code = playback_end(request, code);
    end_transport(call, code);
    break;
  case CALL_FOLLOWING:
  case CALL_DUE:
    end_transport(call, code);
    break;
  case CALL_STARVED:
    override_restore_all(request->shadow);
    code = CURLE_OUT_OF_MEMORY;
    break;
  case CALL_OPEN:
  case CALL_WAITING:
  case CALL_DIRECT:
  case CALL_DROPPED:
  case CALL_LEFT:
    break;
  }
  return code;
}

enum call_step call_again(struct call *call, CURLcode code)
{
  struct request *request = &call->request;
  live_end(&call->live, code);
  end_ownership(call);
  if (call->multi)
    multi_call_unwatch(call);
  request->op.waited = true;
  return call_begin(call,
                    decide_again(request, !call->multi && settings()->delivery != IDEM_DELIVERY_TRANSPORT));
}

CURLcode call_end_first(struct call *call, CURLcode code, struct idem_gather *gather)
{
  call->code = call->state == CALL_LIVE ? live_end_first(&call->live, code, gather) : finish(call, code);
  return call->code;
}

bool call_is_stored(struct call *call)
{
  bool live = call->state == CALL_LIVE || call->state == CALL_STORING;
  if (!live || live_is_stored(&call->live, false))
    return true;
  if (call->state == CALL_LIVE)
    multi_call_unwatch(call);
  call->live.inflight.rescue = NULL;
  call->state = CALL_STORING;
  return false;
}

void call_end_last(struct call *call)
{
  struct shadow *shadow = call->request.shadow;
  bool owner = call_is_owner(call), live = call->state == CALL_LIVE || call->state == CALL_STORING;
  if (live)
    live_end_last(&call->live, call->code);
  if (live && owner)
    end_ownership(call);
  unlist(call);
  shadow_end(shadow);
  call_free(call);
}

CURLcode call_end(struct call *call, CURLcode code)
{
  code = call_end_first(call, code, NULL);
  call_end_last(call);
  return code;
}

void call_drop(struct call *call)
{
  CURL *handle = call->request.shadow->handle;
  finish(call, CURLE_OUT_OF_MEMORY);
  direct_fail(&call->request, CURLE_OUT_OF_MEMORY);
  call->state = CALL_DROPPED;
  call->message = (CURLMsg){.msg = CURLMSG_DONE, .easy_handle = handle};
  call->message.data.result = CURLE_OUT_OF_MEMORY;
}

/* Its thread may have given the claim up at its end; once it is out of the list, nobody else does. */
static void leave_upstream(struct call *call, const char *why)
{
  bool owner = call_is_owner(call);
  if (owner)
    inflight_remove(&call->live.inflight);
  live_abandon(&call->live, why);
  if (owner)
    feeder_owner_ended(call->request.op.key);
  call->state = CALL_LEFT;
}

struct call *call_detach(struct shadow *shadow)
{
  struct call *call = shadow->call;
  if (!call)
    return NULL;
  switch (call->state) {
  case CALL_LIVE:
    leave_upstream(call, call->multi ? "taken from its multi before its end" : "its transfer was left");
    break;
  case CALL_WAITING:
  case CALL_DIRECT:
    request_leave(&call->request, false);
    break;
  case CALL_TRANSPORT:
  case CALL_FOLLOWING:
  case CALL_DUE:
    end_transport(call, CURLE_ABORTED_BY_CALLBACK);
    break;
  default:
    finish(call, CURLE_ABORTED_BY_CALLBACK);
    break;
  }
  unlist(call);
  if (call->state == CALL_STORING)
    multi_wake_tell(call->multi, shadow->handle);
  return call;
}

void call_abandon(struct call *call)
{
  struct shadow *shadow = call->request.shadow;
  call_free(call_detach(shadow));
  shadow_end(shadow);
}

void call_come_upon(struct shadow *shadow)
{
  struct call *call = shadow->call;
  if (!call || (call->multi && !multi_is_in_callback(call->multi)))
    return;
  if (call->state == CALL_LIVE) {
    leave_upstream(call, "its transfer was left, or its handle reset");
    shadow->state = PERFORM_LOST;
  } else if (call->state == CALL_TRANSPORT) {
    request_unpin(&call->request);
  }
}

void call_come_upon_if_left(struct shadow *shadow)
{
  const struct call *call = shadow->call;
  bool left = call_is_owner(call) && !call->multi && inflight_is_left(&call->live.inflight);
  if (left || call->state == CALL_TRANSPORT)
    call_come_upon(shadow);
}
