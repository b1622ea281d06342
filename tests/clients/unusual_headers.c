/* SPDX-License-Identifier: MIT */
/*
 * unusual_headers URL
 *
 * A POST that asks for the status in each header callback, as programs do to tell an interim answer from the
 * final one.
 */
#include "tests/clients/post.h"

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
  size_t len = size * count, text = len;
  long status = 0;

  while (text && (line[text - 1] == '\r' || line[text - 1] == '\n'))
    text--;
  curl_easy_getinfo(arg, CURLINFO_RESPONSE_CODE, &status);
  printf("%ld %.*s\n", status, (int)text, line);
  return len;
}

int main(int argc, char **argv)
{
  struct reply reply = {0};
  CURL *handle = argc == 2 ? post_new(argv[1], "{\"a\":1}", &reply) : NULL;

  if (!handle) {
    fprintf(stderr, "usage: unusual_headers URL\n");
    return 2;
  }
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, handle);
  CURLcode code = curl_easy_perform(handle);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return code != CURLE_OK;
}
