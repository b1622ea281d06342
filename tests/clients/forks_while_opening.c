/* SPDX-License-Identifier: MIT */
/*
 * forks_while_opening URL ROUNDS
 *
 * In each round a process that has made no call yet forks many times while another thread makes its first
 * one. Each child makes the same call.
 */
#include "tests/clients/post.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 24, AT_ONCE = 8, GAP_US = 100 };

static const char *url;
static char body[64];

static void *call(void *unused)
{
  post_once("thread", url, body);
  return unused;
}

static int fork_all_the_time(void)
{
  pthread_t thread;
  int worst = 0, status;
  if (pthread_create(&thread, NULL, call, NULL))
    return 1;
  for (int i = 0; i < FORKS; i++) {
    if (fork() == 0)
      _exit(post_once("child", url, body));
    if (i >= AT_ONCE)
      usleep(GAP_US);
  }
  while (wait(&status) > 0)
    worst |= status;
  pthread_join(thread, NULL);
  return worst != 0;
}

int main(int argc, char **argv)
{
  int status = 0;
  if (argc != 3)
    return 2;
  url = argv[1];
  curl_global_init(CURL_GLOBAL_ALL);
  for (int i = 0; i < atoi(argv[2]) && !status; i++) {
    snprintf(body, sizeof body, "{\"round\":%d}", i);
    if (fork() == 0)
      _exit(fork_all_the_time());
    wait(&status);
  }
  return status != 0;
}
