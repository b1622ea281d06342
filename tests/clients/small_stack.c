/* SPDX-License-Identifier: MIT */
/*
 * small_stack URL KILOBYTES DEPTH [TURNS]
 *
 * One POST on a thread whose stack has so many kilobytes; its JSON is so many levels deep. With TURNS two
 * coroutines make that many each, by turns: they have such stacks in the main thread, and pages at their ends
 * that cannot be read.
 */
#include "tests/clients/post.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <ucontext.h>

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

static ucontext_t home, coroutines[2];

static void be_coroutine(int self)
{
  for (;;) {
    call(NULL);
    swapcontext(&coroutines[self], &home);
  }
}

static bool coroutine_init(int self, size_t size)
{
  enum { GUARD = 65536 };
  char *stack = mmap(NULL, GUARD + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (stack == MAP_FAILED || mprotect(stack, GUARD, PROT_NONE) || getcontext(&coroutines[self]))
    return false;
  coroutines[self].uc_stack = (stack_t){.ss_sp = stack + GUARD, .ss_size = size};
  makecontext(&coroutines[self], (void (*)(void))be_coroutine, 1, self);
  return true;
}

static bool call_in_coroutines(size_t size, long turns)
{
  bool done = coroutine_init(0, size) && coroutine_init(1, size);

  for (long turn = 0; turn < 2 * turns && done; turn++)
    done = swapcontext(&home, &coroutines[turn % 2]) == 0;
  return done;
}

static bool call_in_thread(size_t size)
{
  pthread_attr_t attributes;
  pthread_t thread;

  pthread_attr_init(&attributes);
  if (pthread_attr_setstacksize(&attributes, size) || pthread_create(&thread, &attributes, call, NULL))
    return false;
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
  return true;
}

int main(int argc, char **argv)
{
  if (argc < 4) {
    fprintf(stderr, "usage: small_stack URL KILOBYTES DEPTH [TURNS]\n");
    return 2;
  }
  url = argv[1];
  body = nested(atol(argv[3]));
  size_t size = (size_t)atol(argv[2]) * 1024;
  curl_global_init(CURL_GLOBAL_ALL);
  if (!(argc > 4 ? call_in_coroutines(size, atol(argv[4])) : call_in_thread(size)))
    return 3;
  free(body);
  return status;
}
