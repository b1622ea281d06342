/* SPDX-License-Identifier: MIT */
/* The life of an easy handle: curl_easy_init, _duphandle, _reset, _cleanup. */
#include "shim/engine/call.h"
#include "shim/engine/messages.h"
#include "shim/engine/multi_call.h"
#include "shim/form/form.h"
#include "shim/handle/multi.h"
#include "shim/handle/overrides.h"
#include "shim/handle/shadow.h"
#include "shim/hooks/hook.h"
#include "shim/info/info.h"
#include "shim/rescue/fork.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/store_object.h"
#include "shim/transport/transport.h"

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
  struct shadow *shadow = shadow_new(handle, real);
  if (shadow)
    atomic_store_explicit(&shadow->quick, settings_active() ? handle : (CURL *)shadow, memory_order_relaxed);
  return shadow;
}

HOOK(CURL *, curl_easy_init, (void))
{
  fork_register();
  store_object_open_early();
  const struct libcurl *real = libcurl_of(CALLER);
  CURL *handle = real ? real->easy_init() : NULL;
  begin_shadow(handle, real, CALLER);
  return handle;
}

HOOK(CURL *, curl_easy_duphandle, (CURL * handle))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  /* A form cannot be set on the copy by its name: it has one of its own, if the method is that of the form. */
  bool method = shadow && override_has(shadow, CURLOPT_HTTPGET);
  if (method)
    override_restore(shadow, CURLOPT_HTTPGET);
  if (shadow && shadow->form)
    form_share_readers(shadow->form);
  if (shadow && shadow->call)
    call_come_upon_if_left(shadow);
  CURL *copy = real ? real->easy_duphandle(handle) : NULL;
  if (copy && shadow)
    override_restore_on(shadow, copy);
  if (method)
    override_set(shadow, CURLOPT_HTTPGET, 1);
  struct shadow *copied = shadow ? begin_shadow(copy, real, CALLER) : NULL;
  if (copied && !shadow_copy(copied, shadow))
    shadow_free(copied);
  return copy;
}

HOOK(void, curl_easy_reset, (CURL * handle))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  if (shadow && shadow->call)
    call_come_upon(shadow);
  if (real)
    real->easy_reset(handle);
  if (shadow)
    shadow_reset(shadow);
  if (shadow && shadow->transport)
    transport_hold(shadow->transport);
}

/* As the real cleanup does with a handle that is still in a multi. One that was left in a callback lets nothing
 * be done to it. */
static void take_out(struct multi *multi, struct shadow *shadow)
{
  CURL *handle = shadow->handle;
  struct driver *driver = multi_enter(multi);
  bool stuck = multi_is_in_callback(multi);
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
  /* Of a perform that has not come back. */
  struct call *call = shadow ? call_detach(shadow) : NULL;
  end_shadow(shadow);
  if (real)
    real->easy_cleanup(handle);
  call_free(call);
}
