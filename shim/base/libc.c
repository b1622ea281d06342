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

/* One name of each library is asked for, since every glibc that has one has all of them: a name that is asked
 * for so the loader looks for when a program starts, and not when it is called. In one page with the
 * constructors that call it. */
__attribute__((section(".text.startup"))) bool libc_suffices(void)
{
  return gnu_get_libc_version != NULL && LIBC_HAS(dlvsym) && LIBC_HAS(pthread_create);
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
