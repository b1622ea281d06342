/* SPDX-License-Identifier: MIT */
/*
 * loads_slowly LIBRARY URL BODY MS
 *
 * Makes a call without the query, and then gives one up after MS milliseconds while another thread loads
 * LIBRARY, which takes for ever: nobody else can load one.
 */
#include "tests/clients/post.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

static void *load(void *library)
{
  dlopen(library, RTLD_NOW);
  return NULL;
}

int main(int argc, char **argv)
{
  pthread_t thread;
  struct reply reply = {0};
  char number[16], begun;
  int ends[2];

  if (argc != 5 || pipe(ends) < 0)
    return 2;
  snprintf(number, sizeof number, "%d", ends[1]);
  setenv("LOADING", number, 1);
  char *plain = strndup(argv[2], strcspn(argv[2], "?"));
  post_once("before", plain, "{\"before\":true}");
  CURL *handle = post_new(argv[2], argv[3], &reply);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, atol(argv[4]));
  pthread_create(&thread, NULL, load, argv[1]);
  if (read(ends[0], &begun, 1) != 1)
    return 3;
  reply_print("loads_slowly", handle, curl_easy_perform(handle), &reply);
  _exit(0);
}
