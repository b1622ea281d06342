/* SPDX-License-Identifier: MIT */
/*
 * small_stack URL KILOBYTES DEPTH
 *
 * One POST on a thread whose stack has so many kilobytes; its JSON is so many levels deep.
 */
#include "tests/clients/post.h"

#include <pthread.h>

static const char *url;
static char *body;
static int status;

static char *nested(long depth)
{
  char *text = malloc((size_t)depth * 2 + 2), *at = text;

  memset(at, '[', (size_t)depth);
  at[depth] = '1';
  memset(at + depth + 1, ']', (size_t)depth);
  at[2 * depth + 1] = 0;
  return text;
}

static void *call(void *arg)
{
  status = post_once("thread", url, body);
  return arg;
}

int main(int argc, char **argv)
{
  pthread_attr_t attributes;
  pthread_t thread;

  if (argc != 4) {
    fprintf(stderr, "usage: small_stack URL KILOBYTES DEPTH\n");
    return 2;
  }
  url = argv[1];
  body = nested(atol(argv[3]));
  curl_global_init(CURL_GLOBAL_ALL);
  pthread_attr_init(&attributes);
  if (pthread_attr_setstacksize(&attributes, (size_t)atol(argv[2]) * 1024) ||
      pthread_create(&thread, &attributes, call, NULL))
    return 3;
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
  free(body);
  return status;
}
