/* SPDX-License-Identifier: MIT */
#include "config/thread.h"

#include "config/old_glibc.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

/* Weak, as all that the front has of them (shim/base/libc.h). */
#ifndef IDEM_SANITIZED
#pragma weak pthread_attr_setstacksize
#pragma weak pthread_create
#endif

enum { STACK_SIZE = 262144 };

static _Atomic size_t stack_size;

void idem_thread_prepare(void *(*find)(void *, const char *))
{
  if (atomic_load_explicit(&stack_size, memory_order_relaxed))
    return;
  size_t (*least)(const pthread_attr_t *) = (__typeof__(least))find(RTLD_DEFAULT, "__pthread_get_minstack");
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  atomic_store_explicit(&stack_size, STACK_SIZE + (least ? least(&attributes) : 0), memory_order_relaxed);
  pthread_attr_destroy(&attributes);
}

bool idem_thread_start(void *(*run)(void *))
{
  size_t size = atomic_load_explicit(&stack_size, memory_order_relaxed);
  sigset_t all, before;
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, size ? size : STACK_SIZE);
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  bool started = pthread_create(&thread, &attributes, run, NULL) == 0;
  sigprocmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return started;
}
