/* SPDX-License-Identifier: MIT */
/*
 * stampede THREADS URL BODY [HEADER...]
 *
 * That many threads make the same call at the same moment. One line each.
 */
#include "tests/clients/post.h"

#include <pthread.h>

static pthread_barrier_t start;
static const char *url, *body;
static struct curl_slist *headers;

static void *call(void *failed)
{
  struct reply reply = {0};
  CURL *handle = post_new(url, body, &reply);
  CURLcode code;

  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  pthread_barrier_wait(&start);
  code = curl_easy_perform(handle);
  flockfile(stdout);
  reply_print("thread", handle, code, &reply);
  funlockfile(stdout);
  if (code)
    __atomic_store_n((int *)failed, 1, __ATOMIC_RELAXED);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return NULL;
}

int main(int argc, char **argv)
{
  unsigned count = argc < 4 ? 0 : (unsigned)strtoul(argv[1], NULL, 10);
  pthread_t *threads = calloc(count, sizeof *threads);
  int failed = 0;

  if (!count || !threads || pthread_barrier_init(&start, NULL, count)) {
    fprintf(stderr, "usage: stampede THREADS URL BODY [HEADER...]\n");
    return 2;
  }
  url = argv[2];
  body = argv[3];
  for (int i = 4; i < argc; i++)
    headers = curl_slist_append(headers, argv[i]);
  curl_global_init(CURL_GLOBAL_ALL);
  for (unsigned i = 0; i < count; i++)
    if (pthread_create(&threads[i], NULL, call, &failed))
      return 3; /* the barrier would wait for ever */
  for (unsigned i = 0; i < count; i++)
    pthread_join(threads[i], NULL);
  curl_slist_free_all(headers);
  curl_global_cleanup();
  free(threads);
  return failed;
}
