/* SPDX-License-Identifier: MIT */
/* curl_share_setopt. */
#include "shim/handle/share.h"
#include "shim/hooks/hook.h"
#include "shim/libcurl/libcurl.h"

#include <stdint.h>

HOOK(CURLSHcode, curl_share_setopt, (CURLSH * share, CURLSHoption option, uintptr_t value))
{
  const struct libcurl *real = libcurl_of(CALLER);
  if (option == CURLSHOPT_LOCKFUNC && value)
    share_note_locks();
  return real ? real->share_setopt(share, option, value) : CURLSHE_NOT_BUILT_IN;
}
