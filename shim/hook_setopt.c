/* SPDX-License-Identifier: MIT */
/* curl_easy_setopt. */
#include "shim/hook.h"
#include "shim/life.h"
#include "shim/shadow.h"
#include "shim/tee.h"

static inline bool is_forwarded(CURLoption option)
{
  unsigned number = option_number(option);
  return number < OPTION_LIMIT && option_rows[number].kind == OPTION_FORWARDED;
}

static CURLcode idem_easy_setopt(struct shadow *shadow, CURLoption option, uintptr_t value)
{
  bool held = shadow->state == PERFORM_LIVE && tee_holds(shadow, option);
  CURLcode code = held ? CURLE_OK : shadow->lib->easy_setopt(shadow->handle, option, value);
  if (code == CURLE_OK)
    shadow_note(shadow, option, value);
  return code;
}

HOOK(CURLcode, curl_easy_setopt, (CURL * handle, CURLoption option, uintptr_t value))
{
  struct shadow *shadow = shadow_find(handle);
  const struct libcurl *real = shadow ? shadow->lib : libcurl_of(CALLER);
  if (!real)
    return CURLE_NOT_BUILT_IN;
  if (!shadow || is_forwarded(option) || !life_active())
    return real->easy_setopt(handle, option, value);
  return idem_easy_setopt(shadow, option, value);
}
