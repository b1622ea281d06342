/* SPDX-License-Identifier: MIT */
/* What the app asks of a finished transfer: curl_easy_getinfo, curl_easy_header, curl_easy_nextheader. */
#include "shim/handle/shadow.h"
#include "shim/hooks/hook.h"
#include "shim/info/info.h"

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
