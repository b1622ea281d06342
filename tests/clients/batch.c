/* SPDX-License-Identifier: MIT */
/*
 * batch N DISTINCT URL OUT
 *
 * A batch job that knows nothing of durability: sends N prompts in order, one at a time, of which DISTINCT
 * differ, and writes the answers to OUT, one on a line. When it is started again it starts from the
 * beginning. Exits 0 when all N are there.
 */
#include "tests/clients/post.h"

#include <unistd.h>

static int answer_one(CURL *handle, unsigned long prompt, struct reply *reply)
{
  char body[160];
  CURLcode code;
  long status = 0;

  snprintf(body, sizeof body,
           "{\"model\":\"mock-1\",\"messages\":[{\"role\":\"user\",\"content\":\"This is prompt %lu.\"}]}",
           prompt);
  reply->len = 0;
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body);
  code = curl_easy_perform(handle);
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (code || status != 200)
    fprintf(stderr, "batch: prompt %lu: status %ld, %s\n", prompt, status, curl_easy_strerror(code));
  return code || status != 200;
}

int main(int argc, char **argv)
{
  unsigned long count = argc == 5 ? strtoul(argv[1], NULL, 10) : 0;
  unsigned long distinct = argc == 5 ? strtoul(argv[2], NULL, 10) : 0;
  FILE *out = distinct ? fopen(argv[4], "we") : NULL;
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
  struct reply reply = {0};
  CURL *handle = out ? post_new(argv[3], NULL, &reply) : NULL;
  int failed = 0;

  if (!handle) {
    fprintf(stderr, "usage: batch N DISTINCT URL OUT\n");
    return 2;
  }
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  for (unsigned long i = 0; i < count && !failed; i++) {
    failed = answer_one(handle, i % distinct, &reply);
    if (!failed)
      fprintf(out, "%.*s\n", (int)reply.len, reply.bytes);
    fflush(out);
  }
  curl_easy_cleanup(handle);
  curl_slist_free_all(headers);
  free(reply.bytes);
  return fclose(out) || failed;
}
