/* SPDX-License-Identifier: MIT */
/* curl_share_setopt. */
#include "shim/handle/share.h"
#include "shim/hooks/hook.h"
#include "shim/libcurl/libcurl.h"

#include <stdatomic.h>
#include <stdint.h>

static _Atomic bool any_locks;

bool share_has_locks(void)
{
  return atomic_load_explicit(&any_locks, memory_order_relaxed);
}

HOOK(CURLSHcode, curl_share_setopt, (CURLSH * share, CURLSHoption option, uintptr_t value))
{
  const struct libcurl *real = libcurl_of(CALLER);
  if (option == CURLSHOPT_LOCKFUNC && value)
    atomic_store_explicit(&any_locks, true, memory_order_relaxed);
  return real ? real->share_setopt(share, option, value) : CURLSHE_NOT_BUILT_IN;
}
