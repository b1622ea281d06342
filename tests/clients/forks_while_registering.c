/* SPDX-License-Identifier: MIT */
/*
 * forks_while_registering before|after URL
 *
 * Forks in a second thread just before, or just after, the shim's fork handlers are entered in libc's list,
 * by the thread that makes the first handle. The child makes a call, and forks a child that makes it too.
 * Last, the first thread does.
 *
 * Prints how often the child has entered the handlers.
 */
#include "tests/clients/post.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *url;
static int entered, worst;
static bool after;

int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object);

/* Its lines come at once, and not from its children again. */
static bool call(const char *who)
{
  bool bad = post_once(who, url, "{}");
  fflush(stdout);
  return bad;
}

static bool ends_badly(pid_t pid)
{
  int status = 1;
  return waitpid(pid, &status, 0) != pid || status != 0;
}

static int be_child(void)
{
  bool bad = call("child");
  fprintf(stderr, "entered=%d\n", entered);
  pid_t pid = fork();
  if (pid == 0)
    _exit(call("grandchild"));
  return bad || ends_badly(pid);
}

static void *fork_aside(void *unused)
{
  pid_t pid = fork();
  if (pid == 0) {
    entered = 0;
    _exit(be_child());
  }
  worst |= ends_badly(pid);
  return unused;
}

static void fork_in_a_thread(void)
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, fork_aside, NULL) || pthread_join(thread, NULL))
    worst = 1;
}

static bool is_shim(void (*function)(void))
{
  Dl_info info;
  return function && dladdr((void *)function, &info) && strstr(info.dli_fname, "libidemshim.so");
}

/* In the place of libc's. */
__attribute__((visibility("default"))) int __register_atfork(void (*prepare)(void), void (*parent)(void),
                                                             void (*child)(void), void *object)
{
  static bool forked;
  __typeof__(__register_atfork) *real = (__typeof__(real))dlsym(RTLD_NEXT, "__register_atfork");
  bool now = is_shim(prepare) && !forked;
  forked |= now;
  entered += is_shim(prepare);
  if (now && !after)
    fork_in_a_thread();
  int result = real(prepare, parent, child, object);
  if (now && after)
    fork_in_a_thread();
  return result;
}

int main(int argc, char **argv)
{
  if (argc != 3)
    return 2;
  after = strcmp(argv[1], "after") == 0;
  url = argv[2];
  return call("main") || worst;
}
