/* SPDX-License-Identifier: MIT */
/*
 * The easy interface, but for curl_easy_setopt(): the life of a handle, its transfer, what the app asks of
 * that afterwards; and curl_share_setopt(), of which one flag is kept.
 */
#include "shim/base/stack.h"
#include "shim/engine/call.h"
#include "shim/engine/messages.h"
#include "shim/engine/multi_call.h"
#include "shim/engine/perform.h"
#include "shim/form/form.h"
#include "shim/handle/callbacks.h"
#include "shim/handle/multi.h"
#include "shim/handle/overrides.h"
#include "shim/handle/shadow.h"
#include "shim/hooks/hook.h"
#include "shim/info/info.h"
#include "shim/libcurl/libcurl.h"
#include "shim/rescue/fork.h"
#include "shim/runtime/process.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/store_object.h"
#include "shim/runtime/unmatched.h"
#include "shim/transport/transport.h"

/* Its life. */

static void end_shadow(struct shadow *shadow)
{
  if (!shadow)
    return;
  info_free(shadow);
  shadow_free(shadow);
}

/* libcurl makes handles for itself (a multi's own, one for each stream that a server pushes) and ends them by
 * functions that nobody sees: such a handle gets no shadow, and whatever is done with it is forwarded. Where
 * libcurl cannot be told from its app, the shadow is found again when the address of its handle is. */
static struct shadow *begin_shadow(CURL *handle, const struct libcurl *real, const void *caller)
{
  if (!handle || libcurl_is_itself(caller))
    return NULL;
  end_shadow(shadow_find(handle));
  struct shadow *shadow = real->lacks ? NULL : shadow_new(handle, real);
  if (shadow)
    /* Where we are off it is the shadow's own address, which is no handle's: setopt then never takes its
     * short way. */
    atomic_store_explicit(&shadow->quick, settings_active() ? handle : (CURL *)shadow, memory_order_relaxed);
  else if (!real->lacks && settings_active())
    report_problem(PROBLEM_NO_MEMORY, "no memory for a handle");
  return shadow;
}

/* False where a libcurl could not have a call answered, and a replay is not to go onto the network by it. */
static bool is_allowed(const struct libcurl *real)
{
  if (!real->lacks || !settings_active())
    return true;
  report_problem(PROBLEM_LIBCURL_LACKS, "this libcurl has no %s()", real->lacks);
  return !settings_replays_tape();
}

/* A program of threads calls this before it has them. A fork that has begun before the handlers are
 * registered runs none of them in its child, so that they are registered before another thread can fork. */
HOOK(CURLcode, curl_global_init, (long flags))
{
  fork_register();
  const struct libcurl *real = libcurl_of(CALLER);
  return real ? real->global_init(flags) : CURLE_FAILED_INIT;
}

HOOK(CURL *, curl_easy_init, (void))
{
  fork_register();
  store_object_open_early();
  const struct libcurl *real = libcurl_of(CALLER);
  CURL *handle = real && is_allowed(real) ? real->easy_init() : NULL;
  begin_shadow(handle, real, CALLER);
  return handle;
}

HOOK(CURL *, curl_easy_duphandle, (CURL * handle))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  /* A form cannot be set on the copy by its name: it has one of its own, if the
   * method is that of the form. */
  bool method = shadow && override_has(shadow, CURLOPT_HTTPGET);
  if (method)
    override_restore(shadow, CURLOPT_HTTPGET);
  if (shadow && shadow->form)
    form_share_readers(shadow->form);
  if (shadow && shadow->call)
    call_come_upon_if_left(shadow);
  CURL *copy = real ? real->easy_duphandle(handle) : NULL;
  /* libcurl copies what is set at this moment. In the middle of a call some of that is ours, and the copy is
   * to have the app's. */
  if (copy && shadow)
    override_restore_on(shadow, copy);
  if (method)
    override_set(shadow, CURLOPT_HTTPGET, 1);
  struct shadow *copied = shadow ? begin_shadow(copy, real, CALLER) : NULL;
  if (copied && !shadow_copy(copied, shadow))
    shadow_free(copied);
  return copy;
}

/* Since 8.22 libcurl does nothing about a reset in a callback, and all options stay. A reset clears PRIVATE:
 * that tells. Where the callback is called by us, libcurl would not know. False: there was no reset. */
static bool reset(struct shadow *shadow)
{
  static char mark;
  const struct libcurl *real = shadow->lib;
  CURL *handle = shadow->handle;
  char *was = NULL, *is = NULL;
  if (real->version < 0x081600) {
    real->easy_reset(handle);
    return true;
  }
  if (!multi_of(shadow) && (shadow->state == PERFORM_PENDING || shadow->state == PERFORM_DELIVERING))
    return false;
  real->easy_getinfo(handle, CURLINFO_PRIVATE, &was);
  real->easy_setopt(handle, CURLOPT_PRIVATE, &mark);
  real->easy_reset(handle);
  real->easy_getinfo(handle, CURLINFO_PRIVATE, &is);
  if (is == &mark)
    real->easy_setopt(handle, CURLOPT_PRIVATE, was);
  return is != &mark;
}

HOOK(void, curl_easy_reset, (CURL * handle))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  if (shadow && shadow->call && real->version >= 0x081600)
    call_come_upon_if_left(shadow);
  else if (shadow && shadow->call)
    call_come_upon(shadow);
  if (real && !shadow)
    real->easy_reset(handle);
  if (!shadow || !reset(shadow))
    return;
  shadow_reset(shadow);
  if (shadow->transport)
    transport_hold(shadow->transport);
}

/* As the real cleanup does with a handle that is still in a multi. One that was left in a callback lets
 * nothing be done to it. */
static void take_out(struct multi *multi, struct shadow *shadow)
{
  CURL *handle = shadow->handle;
  struct driver *driver = multi_enter(multi);
  bool stuck = multi_is_in_callback(multi);
  /* The transfer may have ended, and nobody have asked for its message: then it is no call any more. */
  if (shadow->call && !stuck)
    messages_read(multi);
  if (shadow->call && !stuck)
    multi_call_give_up(shadow->call, "its handle was cleaned up");
  multi->lib->multi_remove_handle(multi->handle, handle);
  messages_drop(multi, shadow, handle);
  if (shadow->call)
    call_abandon(shadow->call);
  multi_note_removed(multi, shadow);
  driver_leave(driver);
}

HOOK(void, curl_easy_cleanup, (CURL * handle))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  if (shadow && multi_of(shadow))
    take_out(multi_of(shadow), shadow);
  /* The handle still has a call if its perform has not come back. */
  struct call *call = shadow ? call_detach(shadow) : NULL;
  end_shadow(shadow);
  if (real)
    real->easy_cleanup(handle);
  /* Last, for libcurl may still call back while it ends the handle. */
  call_free(call);
}

/* Its transfer. */

/* The app's callback calls us again for the handle that it is being called for; libcurl's answer has changed
 * in 8.22. */
static CURLcode refuse_nested(struct shadow *shadow)
{
  bool older = shadow->lib->version < 0x081600;
  callback_error(shadow, older ? "easy handle already used in multi handle" : "");
  return older ? CURLE_FAILED_INIT : CURLE_RECURSIVE_API_CALL;
}

HOOK(CURLcode, curl_easy_perform, (CURL * handle))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  if (!real)
    return CURLE_NOT_BUILT_IN;
  if (shadow && (shadow->state == PERFORM_DELIVERING || shadow->state == PERFORM_PENDING))
    return refuse_nested(shadow);
  if (shadow && shadow->call)
    call_come_upon_if_left(shadow);
  if (!shadow || shadow->state != PERFORM_IDLE || !settings_active() || (shadow->multi && multi_of(shadow)))
    return real->easy_perform(handle);
  /* A call that no rule wants has cost these comparisons, and with another URL or method than before one
   * match. */
  const struct idem_rule *rule = shadow_rule(shadow, settings());
  if (shadow->unmatched)
    unmatched_count();
  bool allowed = rule && process_allows_calls();
  if (allowed && stack_suffices())
    return idem_easy_perform(shadow, rule);
  if (allowed)
    report_problem(PROBLEM_NO_STACK, "a thread has less than 64 KB of stack left");
  /* From here on getinfo tells what libcurl has; but without a URL libcurl ends the call before it forgets
   * the last one [Curl_pretransfer]. */
  const uint8_t replayed = shadow->replayed;
  shadow->replayed = REPLAYED_NOT;
  if (rule && settings_fail_closed(rule))
    return CURLE_OUT_OF_MEMORY;
  CURLcode code = real->easy_perform(handle);
  if (code == CURLE_URL_MALFORMAT && !shadow->url.len)
    shadow->replayed = replayed;
  return code;
}

/* libcurl may deliver what it has held back at once. */
static CURLcode pause_really(const struct libcurl *real, struct shadow *shadow, CURL *handle, int what)
{
  struct driver *driver = shadow ? multi_enter(multi_of(shadow)) : NULL;
  CURLcode code = real->easy_pause(handle, what);
  driver_leave(driver);
  return code;
}

/* A delivery has no connection that the real one could resume. */
HOOK(CURLcode, curl_easy_pause, (CURL * handle, int what))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  if (!real)
    return CURLE_NOT_BUILT_IN;
  if (shadow)
    shadow->resumed += !(what & CURLPAUSE_SEND);
  if (!shadow || shadow->state != PERFORM_DELIVERING)
    return pause_really(real, shadow, handle, what);
  shadow->paused = what & CURLPAUSE_RECV;
  return CURLE_OK;
}

/* What the app asks afterwards. */

HOOK(CURLcode, curl_easy_getinfo, (CURL * handle, CURLINFO info, void *out))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  if (!real)
    return CURLE_NOT_BUILT_IN;
  if (shadow && shadow->replayed && out && info_getinfo(shadow, info, out))
    return CURLE_OK;
  return real->easy_getinfo(handle, info, out);
}

HOOK(CURLHcode, curl_easy_header,
     (CURL * handle, const char *name, size_t index, unsigned origin, int request, struct curl_header **out))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  if (!real || !real->easy_header)
    return CURLHE_NOT_BUILT_IN;
  if (shadow && shadow->replayed)
    return info_header(shadow, name, index, origin, request, out);
  return real->easy_header(handle, name, index, origin, request, out);
}

HOOK(struct curl_header *, curl_easy_nextheader,
     (CURL * handle, unsigned origin, int request, struct curl_header *previous))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  if (!real || !real->easy_nextheader)
    return NULL;
  if (shadow && shadow->replayed)
    return info_nextheader(shadow, origin, request, previous);
  return real->easy_nextheader(handle, origin, request, previous);
}

/* Shares. */

HOOK(CURLSHcode, curl_share_setopt, (CURLSH * share, CURLSHoption option, uintptr_t value))
{
  const struct libcurl *real = libcurl_of(CALLER);
  if (option == CURLSHOPT_LOCKFUNC && value)
    atomic_store_explicit(&shadow_share_locks, true, memory_order_relaxed);
  return real ? real->share_setopt(share, option, value) : CURLSHE_NOT_BUILT_IN;
}
