/* SPDX-License-Identifier: MIT */
/*
 * failing_add.so: a libcurl whose curl_multi_add_handle() fails, as one without memory does, for the time
 * that FAIL_ADD says: 1 is the first. Preload it behind the shim, with IDEMSHIM_HOOK_DL=off; all else is the
 * real one's, which it is linked with. And it has an option that no libcurl has yet: 345.
 */
#include "shim/libcurl/curl_compat.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

static void *real(const char *name)
{
  return dlsym(dlopen("libcurl.so.4", RTLD_LAZY | RTLD_NOLOAD), name);
}

/* By which the shim finds this object. */
EXPORT CURL *curl_easy_init(void)
{
  return ((__typeof__(curl_easy_init) *)real("curl_easy_init"))();
}

#undef curl_easy_setopt
EXPORT CURLcode curl_easy_setopt(CURL *handle, CURLoption option, ...)
{
  va_list rest;
  va_start(rest, option);
  void *value = va_arg(rest, void *);
  va_end(rest);
  if ((int)option == 345)
    return CURLE_OK;
  return ((__typeof__(curl_easy_setopt) *)real("curl_easy_setopt"))(handle, option, value);
}

EXPORT CURLMcode curl_multi_add_handle(CURLM *multi, CURL *handle)
{
  static int count;
  if (++count == atoi(getenv("FAIL_ADD")))
    return CURLM_OUT_OF_MEMORY;
  return ((__typeof__(curl_multi_add_handle) *)real("curl_multi_add_handle"))(multi, handle);
}
