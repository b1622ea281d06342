/* SPDX-License-Identifier: MIT */
/*
 * shared_memory HOW URL BODY
 *
 * A child that has this process's memory makes a call, and then the process makes it. HOW is vfork or clone
 * (with CLONE_VM and a stack of its own); with spawn the child is another program by posix_spawn, and with
 * fork it has memory of its own.
 */
#include "tests/clients/post.h"

#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *url, *body;

static int child(void *arg)
{
  const char *name = arg;

  return post_once(name, url, body);
}

static pid_t make_child(char *how)
{
  static _Alignas(16) char stack[1 << 20];
  char *const argv[] = {how, NULL};
  pid_t pid = -1;

  if (strcmp(how, "clone") == 0)
    return clone(child, stack + sizeof stack, CLONE_VM | SIGCHLD, how);
  if (strcmp(how, "spawn") == 0)
    return posix_spawnp(&pid, "true", NULL, NULL, argv, NULL) == 0 ? pid : -1;
  if (strcmp(how, "fork") == 0 && (pid = fork()) == 0)
    _exit(child(how));
  if (strcmp(how, "vfork") == 0 && (pid = vfork()) == 0)
    _exit(child(how));
  return pid;
}

int main(int argc, char **argv)
{
  int status = 0;

  if (argc != 4)
    return 2;
  url = argv[2];
  body = argv[3];
  curl_global_init(CURL_GLOBAL_ALL);
  post_once("before", url, "{\"before\":true}");
  pid_t pid = make_child(argv[1]);
  if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
    return 3;
  return post_once("process", url, body);
}
