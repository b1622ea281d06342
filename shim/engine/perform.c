/* SPDX-License-Identifier: MIT */
#include "shim/engine/perform.h"

#include "shim/base/libc.h"
#include "shim/engine/call.h"
#include "shim/handle/callbacks.h"
#include "shim/handle/low_speed.h"
#include "shim/replay/direct.h"
#include "shim/replay/progress.h"
#include "shim/replay/stream_follow.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/tape/recorder.h"

#include <pthread.h>

/* How often the app's progress callback is called at least; libcurl does so once a second [easy_transfer]. */
#define SLICE_MS 200

/* One sleep on the owner of the operation, with the app's progress callback, timeout and limit of speed kept
 * as libcurl would: to it the body goes out at the beginning, and then nothing moves. */
static enum call_step wait_for_owner(struct call *call, struct low_speed *low_speed)
{
  struct request *request = &call->request;
  struct shadow *shadow = request->shadow;
  struct progress progress = {.started_us = request->started_us};
  if (!shadow->disturbed && stream_follow_has_begun(request))
    return call_look(call, false);
  int64_t limit_ms = (long)shadow->slot[SLOT_TIMEOUT_MS];
  int64_t left_ms = limit_ms > 0 ? limit_ms - (monotonic_us() - request->started_us) / 1000 : SLICE_MS;
  unsigned slice_ms = left_ms < 1 ? 1 : left_ms < SLICE_MS ? (unsigned)left_ms : SLICE_MS;
  bool done = request->api->wait(request->store, &request->op, slice_ms) == 0;
  pthread_testcancel(); /* as libcurl's wait for its sockets does */
  CURLcode code = progress_update(shadow, &progress);
  int64_t waited_ms = (monotonic_us() - request->started_us) / 1000;
  if (code == CURLE_OK && limit_ms > 0 && waited_ms >= limit_ms) {
    callback_error(shadow, "Operation timed out after %lld milliseconds with 0 bytes received",
                   (long long)waited_ms);
    code = CURLE_OPERATION_TIMEDOUT;
  }
  const int64_t sent = low_speed->count ? (int64_t)request->bytes.body.len : 0;
  if (code == CURLE_OK && !done && low_speed_exceeded(low_speed, shadow, sent, monotonic_us()))
    code = low_speed_error(shadow);
  if (code == CURLE_OK)
    return call_look(call, done);
  /* It joined, and ends in vain: the tape calls it a join, with the app's code. */
  request->op.waited = true;
  request_leave(request, false);
  call->code = direct_fail(request, code);
  recorder_end_replay(request, code, TAPE_JOIN);
  return CALL_DONE;
}

static CURLcode transfer(struct call *call)
{
  const struct shadow *shadow = call->request.shadow;
  bool owner = call_is_owner(call);
  if (owner)
    inflight_enter(&call->live.inflight);
  CURLcode code = shadow->lib->easy_perform(shadow->handle);
  if (owner)
    rescue_leave(&call->live.rescue);
  return code;
}

/* As if we were not there; only a body that was read ahead is fed on. */
static CURLcode go_without_a_call(struct request *request)
{
  const struct shadow *shadow = request->shadow;
  request_leave(request, false);
  if (request->tape.played || settings_fail_closed(request->rule))
    return direct_fail(request, CURLE_OUT_OF_MEMORY);
  report_problem(PROBLEM_NO_MEMORY, "no memory for a call");
  body_attach(&request->body);
  CURLcode code = shadow->lib->easy_perform(shadow->handle);
  body_detach(&request->body);
  return code;
}

CURLcode idem_easy_perform(struct shadow *shadow, const struct idem_rule *rule)
{
  struct request request; /* of a direct hit: nothing else of it needs memory */
  CURLcode code;
  struct decision decision = decide_first(&request, shadow, rule, true);
  struct call *call = NULL;
  if (!call_deliver(&request, &decision, &code) && !(call = call_new(&request, shadow, NULL)))
    code = go_without_a_call(&request);
  if (!call) {
    call_close_request(&request);
    shadow_end(shadow);
    return code;
  }
  enum call_step step = call_begin(call, decision);
  for (;;) {
    struct low_speed low_speed = {.started_us = monotonic_us()};
    while (step == CALL_WAIT)
      step = wait_for_owner(call, &low_speed);
    code = step == CALL_RUN ? transfer(call) : call->code;
    if (!call_is_fenced(call))
      return call_end(call, code);
    step = call_again(call, code);
  }
}
