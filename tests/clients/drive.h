/* SPDX-License-Identifier: MIT */
/*
 * drive: one transfer to its end, by the easy interface or by a multi.
 *
 *     CURLcode code = drive(handle, multi);          NULL: by curl_easy_perform()
 */
#ifndef CLIENT_DRIVE_H
#define CLIENT_DRIVE_H

#include "shim/libcurl/curl_compat.h"

static inline CURLcode drive(CURL *handle, CURLM *multi)
{
  CURLcode code = CURLE_FAILED_INIT;
  int running = 1, left;
  if (!multi)
    return curl_easy_perform(handle);
  curl_multi_add_handle(multi, handle);
  while (running && curl_multi_perform(multi, &running) == CURLM_OK)
    curl_multi_wait(multi, NULL, 0, 1000, NULL);
  for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));)
    if (message->msg == CURLMSG_DONE)
      code = message->data.result;
  curl_multi_remove_handle(multi, handle);
  return code;
}

#endif
