/* SPDX-License-Identifier: MIT */
/*
 * curlu URL BODY [TEXT_URL]
 *
 * The URL is in a handle of libcurl's URL API (CURLOPT_CURLU), which is changed between two calls: ?n=1,
 * ?n=2, and ?n=1 again. With TEXT_URL the handle is set over that text (CURLOPT_URL), taken away, and the
 * text is set again.
 */
#include "tests/clients/post.h"

static int call(CURLU *url, const char *query, const char *body)
{
  struct reply reply = {0};
  CURL *handle = post_new(NULL, body, &reply);
  char *effective = NULL;

  curl_url_set(url, CURLUPART_QUERY, query, 0);
  curl_easy_setopt(handle, CURLOPT_CURLU, url);
  CURLcode code = curl_easy_perform(handle);
  reply_print(query, handle, code, &reply);
  curl_easy_getinfo(handle, CURLINFO_EFFECTIVE_URL, &effective);
  printf("%s\n", effective ? effective : "no effective URL");
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return code != CURLE_OK;
}

static void show(const char *name, CURL *handle, struct reply *reply)
{
  reply->len = 0;
  reply_print(name, handle, curl_easy_perform(handle), reply);
}

static int set_over(CURLU *url, const char *body, const char *text_url)
{
  struct reply reply = {0};
  CURL *handle = post_new(text_url, body, &reply);

  curl_easy_setopt(handle, CURLOPT_CURLU, url);
  show("handle", handle, &reply);
  curl_easy_setopt(handle, CURLOPT_CURLU, NULL);
  show("taken away", handle, &reply);
  curl_easy_setopt(handle, CURLOPT_URL, text_url);
  show("text", handle, &reply);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return 0;
}

int main(int argc, char **argv)
{
  CURLU *url = curl_url();

  if (argc < 3 || argc > 4 || curl_url_set(url, CURLUPART_URL, argv[1], 0)) {
    fprintf(stderr, "usage: curlu URL BODY [TEXT_URL]\n");
    return 2;
  }
  int failed = argc == 4 ? set_over(url, argv[2], argv[3])
                         : call(url, "n=1", argv[2]) + call(url, "n=2", argv[2]) + call(url, "n=1", argv[2]);
  curl_url_cleanup(url);
  return failed;
}
