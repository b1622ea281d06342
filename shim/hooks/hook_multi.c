/* SPDX-License-Identifier: MIT */
/* The multi interface: curl_multi_init, _add_handle, _remove_handle, _perform, _socket and its kin,
 * _info_read, _cleanup. Everything else of it is libcurl's own, since every transfer is. */
#include "shim/base/fd_table.h"
#include "shim/base/stack.h"
#include "shim/engine/call.h"
#include "shim/engine/messages.h"
#include "shim/engine/multi_call.h"
#include "shim/engine/multi_wake.h"
#include "shim/handle/multi.h"
#include "shim/hooks/hook.h"
#include "shim/rescue/fork.h"
#include "shim/rescue/rescue.h"
#include "shim/runtime/process.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/store_object.h"
#include "shim/runtime/unmatched.h"

/* libcurl's own curl_easy_perform() comes by six of these with a multi of its own. In a program that has
 * none itself there is nothing more to look at; what else such a hook does is in a function apart, so that
 * this way saves no register. */
#define APART static __attribute__((noinline))

static inline const struct libcurl *alone(const void *caller)
{
  return pointer_map_count(&multi_map) ? NULL : libcurl_itself_first(caller);
}

/* By the multi if it is one of ours, else by the caller; the two that may take a lock come last. */
static struct multi *find(CURLM *multi, const void *caller, const struct libcurl **real)
{
  struct multi *known = multi_glance(multi);
  *real = known ? known->lib : libcurl_itself(caller);
  if (!*real && (known = multi_find(multi)))
    *real = known->lib;
  if (!*real)
    *real = libcurl_of(caller);
  return known;
}

HOOK(CURLM *, curl_multi_init, (void))
{
  fork_register();
  store_object_open_early();
  const struct libcurl *real = libcurl_of(CALLER);
  CURLM *handle = real ? real->multi_init() : NULL;
  if (handle && !real->lacks && !libcurl_is_itself(CALLER) && !multi_new(handle, real) && settings_active())
    report_problem(PROBLEM_NO_MEMORY, "no memory for a multi handle");
  return handle;
}

/* Whose multi it is, and whether it may be called now: asked before we touch anything that libcurl is working
 * on. */
static CURLMcode come_in(CURLM *multi, const void *caller, struct multi **known, const struct libcurl **real)
{
  *known = find(multi, caller, real);
  if (!*real)
    return CURLM_INTERNAL_ERROR;
  return *known && multi_is_in_callback(*known) ? CURLM_RECURSIVE_API_CALL : CURLM_OK;
}

/* How a hook of a multi begins: `known` is the multi, if it is one of ours, and `real` its libcurl. */
#define COME_IN(caller, real)                                                                                \
  struct multi *known;                                                                                       \
  CURLMcode refused = come_in(multi, caller, &known, &(real));                                               \
  if (refused)                                                                                               \
    return refused;

/* Many calls can be under way in one multi, and the app's own need their descriptors. A
 * replay of a tape has none. */
static bool has_room(void)
{
  if (!process_allows_calls())
    return false;
  if (!stack_suffices())
    report_problem(PROBLEM_NO_STACK, "a thread has less than 64 KB of stack left");
  else if (settings_replays_tape() || fd_multi_may_have_one(atomic_load(&call_in_multis)))
    return true;
  else {
    if (!fd_are_free(FD_LIBCURL_NEEDS))
      store_object_give_back();
    report_problem(PROBLEM_NO_DESCRIPTORS, "a quarter of all descriptors are for idemshim's calls in a "
                                           "multi, and a quarter stay free; raise the limit (ulimit -n)");
  }
  return false;
}

static CURLMcode add(struct multi *multi, struct shadow *shadow)
{
  const struct idem_rule *rule = settings_active() ? shadow_rule(shadow, settings()) : NULL;
  shadow->replayed = REPLAYED_NOT;
  if (!rule && shadow->unmatched)
    unmatched_count();
  if (!multi_note_added(multi, shadow)) {
    report_want("no memory for a handle of a multi");
    return settings_fail_closed(rule) ? CURLM_OUT_OF_MEMORY
                                      : multi->lib->multi_add_handle(multi->handle, shadow->handle);
  }
  CURL *handle = shadow->handle;
  /* Before libcurl has the handle: its end may come in the very next turn. */
  multi->reads_ahead |= rule != NULL;
  bool ours = rule && has_room();
  if (ours)
    driver_enter(&multi->driver);
  CURLMcode code = ours                         ? idem_multi_add_handle(multi, shadow, rule)
                   : settings_fail_closed(rule) ? CURLM_OUT_OF_MEMORY
                                                : multi->lib->multi_add_handle(multi->handle, handle);
  if (ours)
    driver_leave(&multi->driver);
  if (code != CURLM_OK)
    multi_note_removed(multi, shadow);
  return code;
}

APART CURLMcode add_handle(CURLM *multi, CURL *handle, const void *caller)
{
  const struct libcurl *real;
  COME_IN(caller, real)
  struct shadow *shadow = known ? shadow_find(handle) : NULL;
  if (known && shadow && shadow->state == PERFORM_IDLE && !multi_of(shadow))
    return add(known, shadow);
  /* libcurl would take a handle that it knows nothing of, and that is in our hands. */
  if (shadow && (shadow->state == PERFORM_PENDING || shadow->state == PERFORM_DELIVERING))
    return CURLM_ADDED_ALREADY;
  if (shadow && shadow->call)
    call_come_upon(shadow);
  return real->multi_add_handle(multi, handle);
}

HOOK(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL *handle))
{
  const struct libcurl *real = alone(CALLER);
  return real ? real->multi_add_handle(multi, handle) : add_handle(multi, handle, CALLER);
}

/* The call must be over, or given up, while libcurl still has the transfer: a copy of the process carries it
 * on from there. A message that the app has not read goes with the handle. */
static CURLMcode take_out(struct multi *known, struct shadow *shadow, const struct libcurl *real,
                          CURLM *multi, CURL *handle)
{
  bool ours = known && shadow && multi_of(shadow) == known;
  if (ours && shadow->call)
    messages_read(known);
  if (ours && shadow->call)
    multi_call_give_up(shadow->call, "removed from its multi");
  CURLMcode code = real->multi_remove_handle(multi, handle);
  if (known && code == CURLM_OK)
    messages_drop(known, shadow, handle);
  if (code != CURLM_OK || !ours)
    return code;
  if (shadow->call)
    call_abandon(shadow->call);
  multi_note_removed(known, shadow);
  return code;
}

APART CURLMcode remove_handle(CURLM *multi, CURL *handle, const void *caller)
{
  const struct libcurl *real;
  COME_IN(caller, real)
  struct driver *driver = multi_enter(known);
  CURLMcode code = take_out(known, known ? shadow_find(handle) : NULL, real, multi, handle);
  driver_leave(driver);
  return code;
}

HOOK(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL *handle))
{
  const struct libcurl *real = alone(CALLER);
  return real ? real->multi_remove_handle(multi, handle) : remove_handle(multi, handle, CALLER);
}

static CURLMcode turn(const struct libcurl *real, CURLM *multi, int *running)
{
  struct rescue *rescue = rescue_before_turn(multi);
  CURLMcode code = real->multi_perform(multi, running);
  rescue_after_turn(rescue, running);
  return code;
}

/* The body of what turns libcurl's loop, for `call` of the real function, if that is `there`. What runs
 * callbacks may end calls, and send others on their way. Since libcurl 8.9.1 an app need not ask how many
 * handles are running. */
#define TURN(caller, there, call)                                                                            \
  COME_IN(caller, real)                                                                                      \
  if (!(there))                                                                                              \
    return CURLM_INTERNAL_ERROR;                                                                             \
  int unasked = 0;                                                                                           \
  if (known && !running)                                                                                     \
    running = &unasked;                                                                                      \
  struct driver *driver = multi_enter(known);                                                                \
  multi_call_before_turn(known);                                                                             \
  CURLMcode code = (call);                                                                                   \
  multi_call_after_turn(known, code, running);                                                               \
  driver_leave(driver);                                                                                      \
  return code;

APART CURLMcode perform(CURLM *multi, int *running, const void *caller)
{
  const struct libcurl *real;
  TURN(caller, true, turn(real, multi, running))
}

HOOK(CURLMcode, curl_multi_perform, (CURLM * multi, int *running))
{
  const struct libcurl *real = inflight_current ? NULL : alone(CALLER);
  return real ? real->multi_perform(multi, running) : perform(multi, running, CALLER);
}

HOOK(CURLMcode, curl_multi_socket_action, (CURLM * multi, curl_socket_t fd, int events, int *running))
{
  const struct libcurl *real;
  TURN(CALLER, true, real->multi_socket_action(multi, fd, events, running))
}

HOOK(CURLMcode, curl_multi_socket, (CURLM * multi, curl_socket_t fd, int *running))
{
  const struct libcurl *real;
  TURN(CALLER, real->multi_socket, real->multi_socket(multi, fd, running))
}

HOOK(CURLMcode, curl_multi_socket_all, (CURLM * multi, int *running))
{
  const struct libcurl *real;
  TURN(CALLER, real->multi_socket_all, real->multi_socket_all(multi, running))
}

/* The functions with which an app's loop waits. They wait for answers that are being stored, too. */

static CURLMcode wait_for(struct multi *known, __typeof__(curl_multi_wait) *function, CURLM *multi,
                          struct curl_waitfd *extra, unsigned count, int ms, int *ready)
{
  if (!function)
    return CURLM_INTERNAL_ERROR;
  return multi_wake_waits(known) ? multi_wake_wait(known, function, extra, count, ms, ready)
                                 : function(multi, extra, count, ms, ready);
}

HOOK(CURLMcode, curl_multi_wait,
     (CURLM * multi, struct curl_waitfd *extra, unsigned count, int ms, int *ready))
{
  const struct libcurl *real;
  struct multi *known = find(multi, CALLER, &real);
  return wait_for(known, real ? real->multi_wait : NULL, multi, extra, count, ms, ready);
}

APART CURLMcode poll_for(CURLM *multi, struct curl_waitfd *extra, unsigned count, int ms, int *ready,
                         const void *caller)
{
  const struct libcurl *real;
  struct multi *known = find(multi, caller, &real);
  return wait_for(known, real ? real->multi_poll : NULL, multi, extra, count, ms, ready);
}

HOOK(CURLMcode, curl_multi_poll,
     (CURLM * multi, struct curl_waitfd *extra, unsigned count, int ms, int *ready))
{
  const struct libcurl *real = alone(CALLER);
  return real && real->multi_poll ? real->multi_poll(multi, extra, count, ms, ready)
                                  : poll_for(multi, extra, count, ms, ready, CALLER);
}

HOOK(CURLMcode, curl_multi_fdset, (CURLM * multi, fd_set *read, fd_set *write, fd_set *special, int *last))
{
  const struct libcurl *real;
  struct multi *known = find(multi, CALLER, &real);
  if (!real)
    return CURLM_INTERNAL_ERROR;
  CURLMcode code = real->multi_fdset(multi, read, write, special, last);
  if (known)
    known->selects = true;
  if (code == CURLM_OK && multi_wake_waits(known))
    multi_wake_fdset(known, read, last);
  return code;
}

HOOK(CURLMcode, curl_multi_waitfds, (CURLM * multi, struct curl_waitfd *fds, unsigned size, unsigned *count))
{
  const struct libcurl *real;
  struct multi *known = find(multi, CALLER, &real);
  if (!real || !real->multi_waitfds)
    return CURLM_INTERNAL_ERROR;
  return multi_wake_waits(known) ? multi_wake_waitfds(known, fds, size, count)
                                 : real->multi_waitfds(multi, fds, size, count);
}

HOOK(CURLMcode, curl_multi_assign, (CURLM * multi, curl_socket_t fd, void *of_socket))
{
  const struct libcurl *real;
  struct multi *known = find(multi, CALLER, &real);
  if (!real)
    return CURLM_INTERNAL_ERROR;
  if (!multi_wake_is(known, fd))
    return real->multi_assign(multi, fd, of_socket);
  known->wake_assigned = of_socket;
  return CURLM_OK;
}

APART CURLMcode set(CURLM *multi, CURLMoption option, void *value, const void *caller)
{
  const struct libcurl *real;
  struct multi *known = find(multi, caller, &real);
  if (!real)
    return CURLM_INTERNAL_ERROR;
  CURLMcode code = real->multi_setopt(multi, option, value);
  if (!known || code != CURLM_OK)
    return code;
  switch ((int)option) {
  case CURLMOPT_SOCKETFUNCTION:
    known->on_socket = (curl_socket_callback)value;
    known->wake_told = false;
    break;
  case CURLMOPT_SOCKETDATA:
    known->on_socket_data = value;
    break;
  case CURLMOPT_MAX_TOTAL_CONNECTIONS:
  case CURLMOPT_MAX_HOST_CONNECTIONS:
    known->limited |= value != NULL;
    break;
  case CURLMOPT_NOTIFYFUNCTION:
    known->notified = value;
    break;
  }
  return code;
}

HOOK(CURLMcode, curl_multi_setopt, (CURLM * multi, CURLMoption option, void *value))
{
  const struct libcurl *real = alone(CALLER);
  return real ? real->multi_setopt(multi, option, value) : set(multi, option, value, CALLER);
}

/* To the app, one whose answer is being stored is still running. */
HOOK(CURLMcode, curl_multi_get_offt, (CURLM * multi, CURLMinfo_offt info, curl_off_t *value))
{
  const struct libcurl *real;
  struct multi *known = find(multi, CALLER, &real);
  if (!real || !real->multi_get_offt)
    return CURLM_INTERNAL_ERROR;
  CURLMcode code = real->multi_get_offt(multi, info, value);
  if (!known || code != CURLM_OK)
    return code;
  switch ((int)info) {
  case CURLMINFO_XFERS_RUNNING:
    *value += known->storing;
    break;
  case CURLMINFO_XFERS_DONE:
    *value -= known->storing;
    break;
  case CURLMINFO_XFERS_ADDED:
    *value -= known->added_again;
    break;
  }
  return code;
}

APART CURLMsg *info_read(CURLM *multi, int *left, const void *caller)
{
  const struct libcurl *real;
  struct multi *known = find(multi, caller, &real);
  if (!real)
    return NULL;
  if (!known || !known->reads_ahead)
    return real->multi_info_read(multi, left);
  struct driver *driver = multi_enter(known);
  CURLMsg *message = messages_take(known, left);
  driver_leave(driver);
  return message;
}

HOOK(CURLMsg *, curl_multi_info_read, (CURLM * multi, int *left))
{
  const struct libcurl *real = alone(CALLER);
  return real ? real->multi_info_read(multi, left) : info_read(multi, left, CALLER);
}

HOOK(CURLMcode, curl_multi_cleanup, (CURLM * multi))
{
  const struct libcurl *real;
  COME_IN(CALLER, real)
  struct driver *driver = multi_enter(known);
  /* Answers of calls that have ended are stored, though the app has not asked for them. */
  if (known && known->reads_ahead)
    messages_read(known);
  while (known && known->first_storing)
    call_abandon(known->first_storing);
  if (known)
    multi_call_give_up_all(known, "its multi was cleaned up");
  CURLMcode code = real->multi_cleanup(multi);
  /* Handles that were still in it are their own again, and may make other transfers. */
  while (known && code == CURLM_OK && known->calls)
    call_abandon(known->calls);
  driver_leave(driver);
  if (known && code == CURLM_OK) {
    messages_release(known);
    multi_free(known);
  }
  return code;
}
