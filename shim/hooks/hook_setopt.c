/* SPDX-License-Identifier: MIT */
/* curl_easy_setopt. */
#include "shim/handle/multi.h"
#include "shim/handle/overrides.h"
#include "shim/handle/shadow.h"
#include "shim/hooks/hook.h"
#include "shim/runtime/settings.h"

static CURLcode idem_easy_setopt(struct shadow *shadow, CURLoption option, uintptr_t value)
{
  /* Ours is there for the time of the call: what the app sets is noted, and put in place at the end. */
  bool held = override_has(shadow, option);
  if (held)
    override_put_off(shadow, option);
  CURLcode code = held ? CURLE_OK : shadow->lib->easy_setopt(shadow->handle, option, value);
  if (code == CURLE_OK)
    shadow_note(shadow, option, value);
  else if (option == CURLOPT_MIMEPOST)
    shadow_lose_form(shadow); /* libcurl has taken the earlier one away */
  if (option == CURLOPT_RESOLVE)
    multi_note_resolve(shadow);
  if (shadow->held && option_row(option)->kind == OPTION_SPECIAL)
    override_method_again(shadow);
  return code;
}

static __attribute__((noinline)) CURLcode setopt_of_any(CURL *handle, CURLoption option, uintptr_t value,
                                                        const void *caller)
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(caller);
  if (!real)
    return CURLE_NOT_BUILT_IN;
  if (!shadow || !settings_active())
    return real->easy_setopt(handle, option, value);
  return idem_easy_setopt(shadow, option, value);
}

static inline bool is_quick(const struct shadow *shadow, const CURL *handle)
{
  return atomic_load_explicit(&shadow->quick, memory_order_relaxed) == handle;
}

/*
 * A program sets dozens of options for each call, so the commonest have a path of their own. What is noted
 * before the real call must be sure to be accepted: callbacks, pointers and flags are; a negative number is
 * not.
 */
static inline CURLcode setopt_quickly(struct shadow *shadow, CURL *handle, CURLoption option, uintptr_t value,
                                      const void *caller)
{
  const struct option_row *row = option_row(option);
  if (__builtin_expect(row->kind == OPTION_KEPT && (intptr_t)value >= 0, 1))
    shadow->slot[row->slot] = value;
  else if (row->kind != OPTION_FORWARDED)
    return setopt_of_any(handle, option, value, caller);
  return shadow->lib->easy_setopt(handle, option, value);
}

/* Out of line, for most programs have one handle. A shadow that is quick for the handle is the handle's. */
static __attribute__((noinline)) CURLcode setopt_of_another(CURL *handle, CURLoption option, uintptr_t value,
                                                            const void *caller)
{
  struct shadow *shadow = pointer_map_at_home(&shadow_map, handle);
  if (__builtin_expect(!shadow || !is_quick(shadow, handle), 0))
    return setopt_of_any(handle, option, value, caller);
  shadow_last = shadow;
  return setopt_quickly(shadow, handle, option, value, caller);
}

HOOK(CURLcode, curl_easy_setopt, (CURL * handle, CURLoption option, uintptr_t value))
{
  struct shadow *shadow = shadow_last;
  if (__builtin_expect(!is_quick(shadow, handle), 0))
    return setopt_of_another(handle, option, value, CALLER);
  return setopt_quickly(shadow, handle, option, value, CALLER);
}
