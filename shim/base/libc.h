/* SPDX-License-Identifier: MIT */
/*
 * What libidemshim.so needs of libc, so that it is loaded by any: the front is preloaded into every program,
 * and one that a loader refuses keeps that program from starting. A file that uses one of the functions below
 * includes this.
 *
 * - glibc 2.34 moved libdl and libpthread into libc and gave what was in them a new version. The old one is
 *   asked for, which newer ones have, too. It is a weak reference, since a program under an older glibc may
 *   have neither library.
 * - What other libcs than glibc do not have is weak as well.
 *
 * So these names may be NULL, and LIBC_HAS(name) asks; one of each library does for all of it.
 * libc_suffices() does before anything of ours is on, so only what forwards calls has to ask for itself.
 * Tests read the imports off the object, none of which is newer than glibc 2.17, and start a program of musl
 * with it, whose loader refuses what imports a name that musl does not have.
 */
#ifndef IDEMSHIM_SHIM_LIBC_H
#define IDEMSHIM_SHIM_LIBC_H

#include "config/old_glibc.h"

/* clang wants a name to be declared before it is made weak. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>

#define LIBC_WEAK_NAME(text)     _Pragma(#text)
#define LIBC_WEAK(name, version) LIBC_WEAK_NAME(weak name)

/* A sanitizer has them all. */
#ifdef IDEM_SANITIZED
#define LIBC_HAS(name) true
#else
OLD_GLIBC_FRONT(LIBC_WEAK)
#define LIBC_HAS(name) ((name) != NULL)
#endif

/* False where libc is not glibc, or a program has none of the libraries that its glibc is made of: then
 * everything is forwarded. */
bool libc_suffices(void);

/* pthread_atfork() and at_quick_exit() of glibc, without the object files that would make
 * their imports strong. */
void libc_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));
void libc_at_quick_exit(void (*handler)(void));

#endif
