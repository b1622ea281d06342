/* SPDX-License-Identifier: MIT */
/*
 * call_in_constructor URL [later]
 *
 * Makes a call at every time at which a program has code: before any constructor, in its constructor, in
 * main, at exit, and in its destructor. The bodies differ, so these are five operations. (The first time
 * getenv() knows nothing yet, so that a CA bundle from the environment is not there: use plain HTTP. With
 * `later` that one is left out: an old glibc is not ready for it.)
 */
#include "tests/clients/post.h"

/* volatile: clang takes it for granted that nobody has set it before constructors. */
static const char *volatile url;

static void call(const char *stage)
{
  char body[64];

  if (!url)
    return;
  snprintf(body, sizeof body, "{\"stage\":\"%s\"}", stage);
  post_once(stage, url, body);
}

static void before_constructors(int argc, char **argv, char **env)
{
  (void)env;
  url = argc > 1 ? argv[1] : NULL;
  if (argc == 2)
    call("preinit");
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **,
                                                                              char **) = before_constructors;

__attribute__((constructor)) static void in_constructor(void)
{
  call("constructor");
}

static void at_exit(void)
{
  call("atexit");
}

__attribute__((destructor)) static void in_destructor(void)
{
  call("destructor");
}

int main(void)
{
  if (!url) {
    fprintf(stderr, "usage: call_in_constructor URL\n");
    return 2;
  }
  atexit(at_exit);
  call("main");
  return 0;
}
