/* SPDX-License-Identifier: MIT */
#include "shim/base/libc.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <pthread.h>
#include <stddef.h>

#pragma weak gnu_get_libc_version
#pragma weak __register_atfork
#pragma weak __cxa_at_quick_exit

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-*) */
/* The functions of libc that pthread_atfork() and at_quick_exit() call. */
int __register_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void), void *object);
int __cxa_at_quick_exit(void (*handler)(void *), void *object);
extern void *__dso_handle;
/* NOLINTEND(bugprone-reserved-identifier,cert-*) */

bool libc_suffices(void)
{
#define X(name, version) &&LIBC_HAS(name)
  return gnu_get_libc_version != NULL OLD_GLIBC_FRONT(X);
#undef X
}

void libc_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
  __register_atfork(before, in_parent, in_child, __dso_handle);
}

/* On both machines a function that takes nothing may be called with an argument. */
void libc_at_quick_exit(void (*handler)(void))
{
  __cxa_at_quick_exit((void (*)(void *))(void *)handler, __dso_handle);
}
