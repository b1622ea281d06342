/* SPDX-License-Identifier: MIT */
#include "shim/engine/multi_call.h"

#include "shim/engine/call.h"
#include "shim/engine/messages.h"
#include "shim/rescue/copy_driver.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

CURLMcode idem_multi_add_handle(struct multi *multi, struct shadow *shadow, const struct idem_rule *rule)
{
  const struct libcurl *real = multi->lib;
  struct call *call = call_new(NULL, shadow, multi);
  if (!call) {
    report_problem(PROBLEM_NO_MEMORY, "no memory for a call");
    return settings_replays_tape() ? CURLM_OUT_OF_MEMORY
                                   : real->multi_add_handle(multi->handle, shadow->handle);
  }
  if (body_has_reader(shadow))
    multi->unread++;
  else
    call_begin(call, decide_first(&call->request, shadow, rule, false));
  CURLMcode code = real->multi_add_handle(multi->handle, shadow->handle);
  if (code != CURLM_OK)
    call_abandon(call);
  return code;
}

/* The handle is not in libcurl's multi. True if it is again. */
static bool put_in_again(struct call *call)
{
  struct multi *multi = call->multi;
  if (multi->lib->multi_add_handle(multi->handle, call->request.shadow->handle) == CURLM_OK)
    return true;
  report_problem(PROBLEM_NO_MEMORY, "a call that was taken out of its multi could not be put in again");
  call_drop(call);
  messages_add(multi, call->request.shadow, &call->message);
  return false;
}

/* The app may have changed options since it added the handle, as libcurl allows. */
static void read_body(struct call *call)
{
  struct multi *multi = call->multi;
  struct shadow *shadow = call->request.shadow;
  const struct idem_rule *rule = shadow_rule(shadow, settings());
  if (!rule || multi->lib->multi_remove_handle(multi->handle, shadow->handle) != CURLM_OK) {
    call_abandon(call);
    return;
  }
  multi->in_reader = true;
  call_begin(call, decide_first(&call->request, shadow, rule, false));
  multi->in_reader = false;
  multi->unread--;
  put_in_again(call);
}

/* In a copy of the process the call is driven to its end here. */
static void carry_on(struct call *call)
{
  if (rescue_is_copy(&call->live.rescue))
    copy_finish(&call->live.rescue);
}

void multi_call_before_turn(struct multi *multi)
{
  if (!multi || !multi->calls)
    return;
  inflight_watch_thread();
  for (struct call *call = multi->unread ? multi->calls : NULL, *next; call; call = next) {
    next = call->next;
    if (call->state == CALL_OPEN)
      read_body(call);
  }
  for (struct call *call = multi->calls; call; call = call->next)
    if (call->state == CALL_LIVE) {
      rescue_look(&call->live.rescue);
      carry_on(call);
    }
}

static void guard(struct multi *multi)
{
  for (struct call *call = multi->calls; call; call = call->next)
    if (call->state == CALL_LIVE) {
      stream_publish_look(&call->live.publish);
      rescue_look_after(&call->live.rescue);
    }
  for (struct call *call = multi->calls; call; call = call->next)
    if (call->state == CALL_LIVE)
      carry_on(call);
}

void multi_call_after_turn(struct multi *multi, CURLMcode code, int *running)
{
  if (!multi)
    return;
  guard(multi);
  if (!multi->reads_ahead || code == CURLM_RECURSIVE_API_CALL)
    return;
  messages_read(multi);
  for (struct call *call; (call = multi->ready);) {
    multi_call_unready(call);
    if (call->state != CALL_DUE)
      continue;
    multi->lib->multi_remove_handle(multi->handle, call->request.shadow->handle);
    call_go_live(call);
    if (!put_in_again(call) && *running > 0)
      --*running;
  }
}

void multi_call_give_up(struct call *call, const char *why)
{
  if (call->state != CALL_LIVE)
    return;
  rescue_now(&call->live.rescue, why);
  carry_on(call);
}

void multi_call_give_up_all(struct multi *multi, const char *why)
{
  for (struct call *call = multi->calls; call; call = call->next)
    multi_call_give_up(call, why);
}

void multi_call_ready(struct call *call)
{
  if (call->ready_link)
    return;
  call->next_ready = call->multi->ready;
  call->ready_link = &call->multi->ready;
  if (call->next_ready)
    call->next_ready->ready_link = &call->next_ready;
  call->multi->ready = call;
}

void multi_call_unready(struct call *call)
{
  if (!call->ready_link)
    return;
  *call->ready_link = call->next_ready;
  if (call->next_ready)
    call->next_ready->ready_link = call->ready_link;
  call->ready_link = NULL;
}
