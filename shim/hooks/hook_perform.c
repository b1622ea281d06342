/* SPDX-License-Identifier: MIT */
/* What starts and steers a transfer: curl_easy_perform, curl_easy_pause. */
#include "shim/base/stack.h"
#include "shim/engine/call.h"
#include "shim/engine/perform.h"
#include "shim/handle/callbacks.h"
#include "shim/handle/multi.h"
#include "shim/hooks/hook.h"
#include "shim/runtime/process.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

/* The app's callback calls us again for the handle that it is being called for; libcurl's answer has changed
 * in 8.15. */
static CURLcode refuse_nested(struct shadow *shadow)
{
  bool older = shadow->lib->version < 0x080f00;
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
  if (!shadow || shadow->state != PERFORM_IDLE || !settings_active() || multi_of(shadow))
    return real->easy_perform(handle);
  const struct idem_rule *rule = shadow_rule(shadow, settings());
  bool allowed = rule && process_allows_calls();
  if (allowed && stack_suffices())
    return idem_easy_perform(shadow, rule);
  if (allowed)
    report_problem(PROBLEM_NO_STACK, "a thread has less than 64 KB of stack left");
  shadow->replayed = REPLAYED_NOT;
  if (rule && settings_replays_tape())
    return CURLE_OUT_OF_MEMORY;
  return real->easy_perform(handle);
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
  if (!shadow || shadow->state != PERFORM_DELIVERING)
    return pause_really(real, shadow, handle, what);
  shadow->paused = what & CURLPAUSE_RECV;
  return CURLE_OK;
}
