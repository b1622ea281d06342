/* SPDX-License-Identifier: MIT */
#include "shim/engine/multi_call.h"

#include "shim/engine/call.h"
#include "shim/engine/messages.h"
#include "shim/rescue/copy_driver.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

#include <stddef.h>
#include <string.h>

CURLMcode idem_multi_add_handle(struct multi *multi, struct shadow *shadow, const struct idem_rule *rule)
{
  const struct libcurl *real = multi->lib;
  struct call *call = call_new(NULL, shadow, multi);
  if (!call) {
    report_problem(PROBLEM_NO_MEMORY, "no memory for a call");
    return settings_fail_closed(rule) ? CURLM_OUT_OF_MEMORY
                                      : real->multi_add_handle(multi->handle, shadow->handle);
  }
  if (!body_has_reader(shadow))
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
  if (multi->lib->multi_add_handle(multi->handle, call->request.shadow->handle) == CURLM_OK) {
    multi->added_again++;
    return true;
  }
  report_problem(PROBLEM_NO_MEMORY, "a call that was taken out of its multi could not be put in again");
  call_drop(call);
  messages_add(multi, &call->request.shadow->message, &call->message);
  return false;
}

/* The owner has been put in at the end. A follower's transport before it would take the connection that the
 * owner needs, where the app allows few, and both would wait for ever: they are put in behind it. Returns how
 * many could not be. */
static int follow_behind(const struct call *owner)
{
  struct multi *multi = owner->multi;
  int dropped = 0;
  struct call *next;
  for (struct call *call = multi->limited && call_is_owner(owner) ? multi->following : NULL; call;
       call = next) {
    next = call->next_alike;
    if (call->state != CALL_FOLLOWING) {
      call_join(call, NULL);
      continue;
    }
    if (memcmp(call->request.op.key, owner->request.op.key, IDEM_KEY_SIZE) != 0 ||
        multi->lib->multi_remove_handle(multi->handle, call->request.shadow->handle) != CURLM_OK)
      continue;
    call_follow_anew(call);
    dropped += !put_in_again(call);
  }
  return dropped;
}

/* libcurl has sent something for it, or taken its end of the transport: in the turn that it was added in. One
 * before 7.80 does not say when it sends. */
static bool has_begun(const struct call *call)
{
  const struct request *request = &call->request;
  return call->state != CALL_LIVE ? call->transport.app_end < 0
                                  : request->announced && (request->op.defers || call->inside);
}

/* libcurl reads the options of a handle in its first turn. What the app has set since it added the handle is
 * part of the call, which may be another one then: what was begun of it is left, and it is decided anew. */
static struct call *begin_anew(struct call *call, const struct idem_rule *rule)
{
  struct multi *multi = call->multi;
  struct shadow *shadow = call->request.shadow;
  call->request.tape.writer = NULL;
  call_abandon(call);
  call = rule ? call_new(NULL, shadow, multi) : NULL;
  if (rule && !call)
    report_problem(PROBLEM_NO_MEMORY, "no memory for a call");
  return call;
}

/* Its first turn comes next. */
static void before_first_turn(struct call *call)
{
  struct multi *multi = call->multi;
  struct shadow *shadow = call->request.shadow;
  bool open = call->state == CALL_OPEN;
  if (!open && (!shadow->disturbed || call->state == CALL_DROPPED || has_begun(call)))
    return;
  const struct idem_rule *rule = shadow_rule(shadow, settings());
  if (!open && !(call = begin_anew(call, rule)))
    return;
  if (!rule || multi->lib->multi_remove_handle(multi->handle, shadow->handle) != CURLM_OK) {
    call_abandon(call);
    return;
  }
  /* libcurl knows nothing of the app's reader that runs here, and would not refuse to be called from it. */
  multi->in_reader = true;
  call_begin(call, decide_first(&call->request, shadow, rule, false));
  multi->in_reader = false;
  put_in_again(call);
  follow_behind(call);
}

/* In a copy of the process the call is driven to its end here. */
static void carry_on(struct call *call)
{
  if (call->state == CALL_LIVE && rescue_is_copy(&call->live.rescue))
    copy_finish(&call->live.rescue);
}

/* A status line has come: somebody may be waiting for what follows. */
static void on_status(void *self, int status)
{
  struct call *call = self;
  (void)status;
  timer_set(&call->multi->looks, &call->look, 0);
}

void multi_call_watch(struct call *call)
{
  struct multi *multi = call->multi;
  if (!multi || call->kind != LIVE_OWNED)
    return;
  call->listener = (struct tee_listener){.self = call, .status = on_status};
  tee_listen(&call->live.tee, &call->listener);
  timer_set(&multi->looks, &call->look, 0);
  call_join(call, call->request.rule->guard ? &multi->guarded : NULL);
}

void multi_call_unwatch(struct call *call)
{
  timer_unset(&call->multi->looks, &call->look);
  call_join(call, NULL);
}

static struct call *next_due(const struct multi *multi, int64_t now_us)
{
  struct timer *timer = timer_heap_due(&multi->looks, now_us);
  return timer ? (struct call *)(void *)((char *)timer - offsetof(struct call, look)) : NULL;
}

static void look_again(struct call *call, int64_t at_us)
{
  if (call->state != CALL_LIVE || at_us == INT64_MAX)
    timer_unset(&call->multi->looks, &call->look);
  else
    timer_set(&call->multi->looks, &call->look, at_us);
}

void multi_call_before_turn(struct multi *multi)
{
  if (!multi || !multi->calls)
    return;
  inflight_watch_thread();
  /* The newest are the first. */
  for (struct call *call = multi->calls, *next; call && call->turn == multi->turn; call = next) {
    next = call->next;
    before_first_turn(call);
  }
  multi->turn++;
  int64_t now_us = multi->looks.first ? monotonic_us() : 0;
  for (struct call *call; (call = next_due(multi, now_us));) {
    struct rescue *rescue = &call->live.rescue;
    if (call->state == CALL_LIVE) {
      tee_sign(&call->live.tee, IDEM_SIGN_TURN);
      stream_publish_look(&call->live.publish);
      rescue_look(rescue);
      carry_on(call);
    }
    /* Later than now in any case, so that this ends. */
    int64_t next_us = rescue_next_look_us(rescue, now_us);
    look_again(call, next_us > now_us ? next_us : now_us + 1);
  }
}

static void look_after(struct call *call)
{
  if (call->state != CALL_LIVE)
    return;
  stream_publish_look(&call->live.publish);
  rescue_look_after(&call->live.rescue);
}

/* A guard is made in the turn that has sent the request, which no callback tells of. */
static void guard(struct multi *multi)
{
  int64_t now_us = multi->looks.first ? monotonic_us() : 0;
  for (struct call *call = multi->guarded, *next; call; call = next) {
    look_after(call);
    next = call->next_alike;
    if (call->state != CALL_LIVE || !rescue_wants_guard(&call->live.rescue))
      call_join(call, NULL);
  }
  for (struct call *call; (call = next_due(multi, now_us));) {
    /* Due again in the next turn: how long it is left alone, the look before the turn decides. */
    look_again(call, now_us + 1);
    look_after(call);
  }
  /* A callback in the turn, or the guard, may have made this process a copy. */
  for (struct call *call = rescue_in_copy ? multi->calls : NULL; call; call = call->next)
    carry_on(call);
}

void multi_call_after_turn(struct multi *multi, CURLMcode code, int *running)
{
  if (!multi)
    return;
  guard(multi);
  if (!multi->reads_ahead || code == CURLM_RECURSIVE_API_CALL)
    return;
  messages_read_in_turn(multi);
  for (struct call *call; (call = multi->ready);) {
    bool fenced = call_is_fenced(call);
    multi_call_unready(call);
    if (call->state != CALL_DUE && !fenced)
      continue;
    multi->lib->multi_remove_handle(multi->handle, call->request.shadow->handle);
    if (fenced)
      call_again(call, call->code);
    else
      call_go_live(call);
    /* A fenced one has ended as far as libcurl knows. */
    if (put_in_again(call))
      *running += fenced;
    else if (!fenced && *running > 0)
      --*running;
    *running -= follow_behind(call);
  }
  /* The app's loop goes on until they are told, too. curl_multi_socket_all() turns by
   * curl_multi_perform(). */
  if (multi->driver.depth <= 1)
    *running += (int)multi->storing;
}

void multi_call_give_up(struct call *call, const char *why)
{
  /* Inside of a turn, or behind one that a callback has left: a copy would wait for bytes
   * that libcurl has read. */
  if (call->state != CALL_LIVE || call->multi->driver.depth > 1)
    return;
  rescue_now(&call->live.rescue, why);
  carry_on(call);
}

void multi_call_give_up_all(struct multi *multi, const char *why)
{
  for (struct call *call = multi->calls; call; call = call->next)
    multi_call_give_up(call, why);
}

/* In a callback nothing can be done but to be put into this list; each has the address of what points to it,
 * so that one that ends meanwhile takes itself out. */
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
