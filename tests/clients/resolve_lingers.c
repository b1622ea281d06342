/* SPDX-License-Identifier: MIT */
/*
 * resolve_lingers URL HOST:PORT:ADDRESS...
 *
 * Calls of which the first of a kind says by CURLOPT_RESOLVE where the host is, and the second not: libcurl
 * goes to the same place. Through one handle that is reset, and through two handles of a multi. Then two that
 * both say it.
 */
#include "tests/clients/post.h"

static void set(CURL *handle, const char *url, const char *body, struct curl_slist *entries)
{
  curl_easy_setopt(handle, CURLOPT_URL, url);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(handle, CURLOPT_RESOLVE, entries);
}

static int turn(CURLM *multi, CURL *handle)
{
  int running, left;
  curl_multi_add_handle(multi, handle);
  do
    curl_multi_perform(multi, &running);
  while (running && curl_multi_wait(multi, NULL, 0, 1000, NULL) == CURLM_OK);
  CURLMsg *message = curl_multi_info_read(multi, &left);
  int code = message ? (int)message->data.result : -1;
  curl_multi_remove_handle(multi, handle);
  return code;
}

int main(int argc, char **argv)
{
  struct curl_slist *entries = NULL;
  if (argc < 3)
    return 2;
  for (int i = 2; i < argc; i++)
    entries = curl_slist_append(entries, argv[i]);
  CURL *one = curl_easy_init(), *two = curl_easy_init(), *three = curl_easy_init();
  CURLM *multi = curl_multi_init();
  set(one, argv[1], "{\"n\":1}", entries);
  printf("%d\n", (int)curl_easy_perform(one));
  curl_easy_reset(one);
  set(one, argv[1], "{\"n\":2}", NULL);
  printf("%d\n", (int)curl_easy_perform(one));
  set(two, argv[1], "{\"n\":3}", entries);
  set(three, argv[1], "{\"n\":4}", NULL);
  printf("%d\n", turn(multi, two));
  printf("%d\n", turn(multi, three));
  curl_multi_cleanup(multi);
  curl_easy_cleanup(one);
  curl_easy_cleanup(two);
  curl_easy_cleanup(three);
  curl_slist_free_all(entries);
  return 0;
}
