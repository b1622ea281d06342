/* SPDX-License-Identifier: MIT */
/*
 * late_calls HOW URL
 *
 * Makes a call in main, and one at each time after it at which a program has code: an exit handler from
 * before libcurl, the destructor of a static object of C++, a destructor of the program's. HOW is exit or
 * quick (by quick_exit(), which knows none of these but a handler of its own), or cleanup: OPENSSL_cleanup()
 * in main, and a call after it.
 *
 * late_calls multi URL
 *
 * The same for a call that was begun before the end: the exit handler turns its multi.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <dlfcn.h>

extern int __cxa_atexit(void (*)(void *), void *, void *);

static const char *how, *url;
static struct loop loop;
static CURL *begun;

static int is(const char *name)
{
  return strcmp(how, name) == 0;
}

static void call(const char *stage)
{
  char body[64];

  snprintf(body, sizeof body, "{\"stage\":\"%s\"}", stage);
  post_once(stage, url, body);
}

static void finish(void)
{
  CURLMsg *message = NULL;
  int left;

  while (!message) {
    loop_step(&loop, 1000);
    message = curl_multi_info_read(loop.multi, &left);
  }
  printf("finished rc=%d\n", (int)message->data.result);
  curl_multi_remove_handle(loop.multi, begun);
  curl_easy_cleanup(begun);
  loop_close(&loop);
}

static void at_exit(void)
{
  if (begun)
    finish();
  call("handler");
}

static void of_an_object(void *object)
{
  (void)object;
  call("object");
}

__attribute__((destructor)) static void in_destructor(void)
{
  if (url)
    call("destructor");
  fflush(stdout);
}

int main(int argc, char **argv)
{
  static struct reply reply;

  if (argc != 3)
    return 2;
  how = argv[1];
  url = argv[2];
  atexit(at_exit);
  at_quick_exit(at_exit);
  __cxa_atexit(of_an_object, NULL, NULL);
  call("main");
  if (is("multi") && loop_open(&loop, "poll")) {
    begun = post_new(url, "{\"stage\":\"begun\"}", &reply);
    loop_note(&loop, curl_multi_add_handle(loop.multi, begun));
    loop_step(&loop, 0);
  }
  if (is("quick"))
    quick_exit(0);
  if (is("cleanup")) {
    void *libcrypto = dlopen("libcrypto.so.3", RTLD_LAZY | RTLD_NOLOAD);
    if (!libcrypto)
      libcrypto = dlopen("libcrypto.so.1.1", RTLD_LAZY | RTLD_NOLOAD);
    void (*cleanup)(void) = libcrypto ? (void (*)(void))dlsym(libcrypto, "OPENSSL_cleanup") : NULL;
    if (!cleanup)
      return 3;
    cleanup();
    call("cleaned");
  }
  return 0;
}
