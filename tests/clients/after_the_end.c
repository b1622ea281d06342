/* SPDX-License-Identifier: MIT */
/*
 * after_the_end MOMENT URL BODY
 *
 * Times out (POST_TIMEOUT_MS), and then, while somebody may be finishing that call, does what programs do:
 *   fork     a child times out with a call of its own, and is waited for
 *   exec     becomes another program
 *   cleanup  curl_global_cleanup(), and begins anew
 *   exit     ends, with an exit handler that writes
 *   wait     looks for children that it has not made, until the call is answered
 *   busy     other threads allocate and free while it times out
 */
#include "tests/clients/post.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *url, *body;
static volatile sig_atomic_t child_signals;
static _Atomic int busy_is_over;

static void on_child_signal(int number)
{
  (void)number;
  child_signals++;
}

static void at_exit(void)
{
  printf("exit handler in %s\n", getenv("AFTERMATH_PID"));
  fflush(stdout);
}

static int make_child(void)
{
  int status = 0;
  pid_t child = fork();
  if (child == 0)
    _exit(post_once("child", url, "{\"child\":1}") == 1 ? 0 : 1);
  return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

/* Nothing to wait for, and no signal, while a copy of us is at work, and when it has ended. */
static int look_for_children(void)
{
  int strange = 0, status;
  struct sigaction action = {.sa_handler = on_child_signal};
  sigaction(SIGCHLD, &action, NULL);
  unsetenv("POST_TIMEOUT_MS");
  strange |= !(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
  strange |= post_once("again", url, body);
  for (int i = 0; i < 100; i++, usleep(2000))
    strange |= !(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
  printf("strange=%d signals=%d\n", strange, (int)child_signals);
  return strange;
}

static void *allocate(void *arg)
{
  (void)arg;
  while (!atomic_load(&busy_is_over))
    free(malloc((size_t)(rand() & 4095) + 1)); /* NOLINT: any number will do */
  return NULL;
}

static int with_busy_threads(void)
{
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    pthread_create(&threads[i], NULL, allocate, NULL);
  post_once("busy", url, body);
  unsetenv("POST_TIMEOUT_MS");
  int failed = post_once("again", url, body);
  atomic_store(&busy_is_over, 1);
  for (int i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
  return failed;
}

int main(int argc, char **argv)
{
  char pid[16];
  if (argc < 4)
    return 2;
  url = argv[2];
  body = argv[3];
  snprintf(pid, sizeof(pid), "%d", (int)getpid());
  setenv("AFTERMATH_PID", pid, 1);
  atexit(at_exit);
  curl_global_init(CURL_GLOBAL_ALL);
  if (strcmp(argv[1], "busy") == 0)
    return with_busy_threads();
  post_once("first", url, body);
  if (strcmp(argv[1], "fork") == 0)
    return make_child();
  if (strcmp(argv[1], "exec") == 0)
    return execlp("echo", "echo", "another program", NULL);
  if (strcmp(argv[1], "wait") == 0)
    return look_for_children();
  if (strcmp(argv[1], "cleanup") == 0) {
    curl_global_cleanup();
    curl_global_init(CURL_GLOBAL_ALL);
    unsetenv("POST_TIMEOUT_MS");
    return post_once("again", url, body);
  }
  return 0;
}
