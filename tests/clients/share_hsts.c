/* SPDX-License-Identifier: MIT */
/*
 * share_hsts URL HOSTS TO
 *
 * Three handles of one share object, which has the list of hosts that are https alone (HSTS). The first reads
 * it from the file HOSTS; the others only have the share, so that libcurl makes https of their http all the
 * same. The last of them verifies the server. TO is for CURLOPT_CONNECT_TO. Prints the result of each; exits
 * with 3 where libcurl cannot share it.
 */
#include "tests/clients/post.h"

#if LIBCURL_VERSION_NUM < 0x075800
#define CURL_LOCK_DATA_HSTS ((curl_lock_data)7)
#endif

int main(int argc, char **argv)
{
  if (argc != 4)
    return 2;
  CURLSH *share = curl_share_init();
  struct curl_slist *to = curl_slist_append(NULL, argv[3]);
  if (curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_HSTS) != CURLSHE_OK)
    return 3;
  for (int i = 0; i < 3; i++) {
    struct reply reply = {0};
    CURL *handle = post_new(argv[1], "{}", &reply);
    curl_easy_setopt(handle, CURLOPT_SHARE, share);
    curl_easy_setopt(handle, CURLOPT_CONNECT_TO, to);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, (long)(i == 2));
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, i == 2 ? 2L : 0L);
    if (i == 0) {
      curl_easy_setopt(handle, CURLOPT_HSTS_CTRL, (long)CURLHSTS_ENABLE);
      curl_easy_setopt(handle, CURLOPT_HSTS, argv[2]);
    }
    printf("%d\n", (int)curl_easy_perform(handle));
    curl_easy_cleanup(handle);
    free(reply.bytes);
  }
  curl_share_cleanup(share);
  curl_slist_free_all(to);
  return 0;
}
