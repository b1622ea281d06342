/* SPDX-License-Identifier: MIT */
/*
 * writes_into URL TIMES
 *
 * So many identical POSTs, each by a handle of its own, in an app whose callbacks write into what they are
 * given, once they have kept it: into each piece of the body, and into each header line, as those do that
 * call strtok(). Prints a line for each call, with its content type and the checksum of its header but for
 * the marks of a replay.
 */
#include "tests/clients/post.h"

static size_t take_and_blot(char *data, size_t size, size_t count, void *arg)
{
  size_t taken = reply_take(data, size, count, arg);

  memset(data, '#', size * count);
  return taken;
}

static size_t blot_line(char *line, size_t size, size_t count, void *arg)
{
  if (strncmp(line, "X-I", 3) && strncmp(line, "X-From", 6) && strncmp(line, "X-Orig", 6))
    reply_take(line, size, count, arg);
  memset(line, '#', size * count);
  return size * count;
}

static int post(const char *url)
{
  struct reply reply = {0}, header = {0};
  const char *type = NULL;
  struct curl_slist *lines = curl_slist_append(NULL, "Content-Type: application/json");
  CURL *handle =
      post_new(url, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", &reply);

  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lines);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_and_blot);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, blot_line);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &header);
  CURLcode code = curl_easy_perform(handle);

  curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &type);
  printf("header=%016" PRIx64 " ", reply_checksum(&header));
  reply_print(type ? type : "-", handle, code, &reply);
  curl_easy_cleanup(handle);
  curl_slist_free_all(lines);
  free(reply.bytes);
  free(header.bytes);
  return code != CURLE_OK;
}

int main(int argc, char **argv)
{
  int failed = 0;

  if (argc < 3) {
    fprintf(stderr, "usage: writes_into URL TIMES\n");
    return 2;
  }
  curl_global_init(CURL_GLOBAL_ALL);
  for (long i = atol(argv[2]); i > 0; i--)
    failed |= post(argv[1]);
  return failed;
}
