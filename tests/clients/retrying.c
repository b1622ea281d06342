/* SPDX-License-Identifier: MIT */
/*
 * retrying MS URL BODY...
 *
 * One thread for each BODY makes that call with TIMEOUT_MS until it is answered. One line each, in the order
 * of the bodies; and how often the calls timed out.
 */
#include "tests/clients/post.h"

#include <pthread.h>

struct task {
  pthread_t thread;
  const char *url, *body;
  long limit_ms;
  CURLcode code;
  int timeouts;
  CURL *handle;
  struct reply reply;
};

static void *call(void *arg)
{
  struct task *task = arg;
  do {
    task->reply.len = 0;
    task->code = curl_easy_perform(task->handle);
    task->timeouts += task->code == CURLE_OPERATION_TIMEDOUT;
  } while (task->code == CURLE_OPERATION_TIMEDOUT);
  return NULL;
}

int main(int argc, char **argv)
{
  int count = argc - 3, failed = 0, timeouts = 0;
  struct task *tasks = calloc(count > 0 ? (size_t)count : 1, sizeof(*tasks));
  if (count < 1 || !tasks)
    return 2;
  curl_global_init(CURL_GLOBAL_ALL);
  for (int i = 0; i < count; i++) {
    tasks[i].handle = post_new(argv[2], argv[3 + i], &tasks[i].reply);
    curl_easy_setopt(tasks[i].handle, CURLOPT_TIMEOUT_MS, atol(argv[1]));
    if (pthread_create(&tasks[i].thread, NULL, call, &tasks[i]))
      return 3;
  }
  for (int i = 0; i < count; i++) {
    pthread_join(tasks[i].thread, NULL);
    reply_print("thread", tasks[i].handle, tasks[i].code, &tasks[i].reply);
    failed |= tasks[i].code != CURLE_OK;
    timeouts += tasks[i].timeouts;
    curl_easy_cleanup(tasks[i].handle);
    free(tasks[i].reply.bytes);
  }
  printf("timeouts %d\n", timeouts);
  free(tasks);
  curl_global_cleanup();
  return failed;
}
