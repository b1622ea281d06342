/* SPDX-License-Identifier: MIT */
/*
 * The names that glibc 2.34 gave a new version when it moved libdl and libpthread into libc, bound by their
 * first version, which every later glibc has, too: so an object that was built on a new system is loaded on
 * an old one.
 *
 *     #include "config/old_glibc.h"          in a file that uses one of them
 *
 * A test reads the imports off the objects.
 */
#ifndef IDEMSHIM_OLD_GLIBC_H
#define IDEMSHIM_OLD_GLIBC_H

#include <features.h>

#if defined(__x86_64__)
#define OLD_GLIBC_FIRST  "GLIBC_2.2.5"
#define OLD_GLIBC_SECOND "GLIBC_2.3.3"
#else
#define OLD_GLIBC_FIRST  "GLIBC_2.17"
#define OLD_GLIBC_SECOND "GLIBC_2.17"
#endif

/* X(name, its first version): all that the front uses of them, */
#define OLD_GLIBC_FRONT(X)                                                                                   \
  X(dladdr, OLD_GLIBC_FIRST)                                                                                 \
  X(dladdr1, OLD_GLIBC_SECOND)                                                                               \
  X(dlclose, OLD_GLIBC_FIRST)                                                                                \
  X(dlerror, OLD_GLIBC_FIRST)                                                                                \
  X(dlinfo, OLD_GLIBC_SECOND)                                                                                \
  X(dlvsym, OLD_GLIBC_FIRST)                                                                                 \
  X(pthread_attr_getstack, OLD_GLIBC_FIRST)                                                                  \
  X(pthread_attr_setstacksize, OLD_GLIBC_FIRST)                                                              \
  X(pthread_condattr_setclock, OLD_GLIBC_SECOND)                                                             \
  X(pthread_create, OLD_GLIBC_FIRST)                                                                         \
  X(pthread_getattr_np, OLD_GLIBC_FIRST)                                                                     \
  X(pthread_key_create, OLD_GLIBC_FIRST)                                                                     \
  X(pthread_mutex_trylock, OLD_GLIBC_FIRST)                                                                  \
  X(pthread_setspecific, OLD_GLIBC_FIRST)                                                                    \
  X(pthread_testcancel, OLD_GLIBC_FIRST)

/* and what the store alone does. */
#define OLD_GLIBC_STORE(X)                                                                                   \
  X(dlopen, OLD_GLIBC_FIRST)                                                                                 \
  X(dlsym, OLD_GLIBC_FIRST)                                                                                  \
  X(pthread_getspecific, OLD_GLIBC_FIRST)                                                                    \
  X(pthread_key_delete, OLD_GLIBC_FIRST)

/* An older one has them as they are, and a sanitizer puts functions of its own before
 * these, by name alone. */
#if __GLIBC_PREREQ(2, 34) && !defined(IDEM_SANITIZED)
#define OLD_GLIBC_BIND(name, version) __asm__(".symver " #name "," #name "@" version);
OLD_GLIBC_FRONT(OLD_GLIBC_BIND)
OLD_GLIBC_STORE(OLD_GLIBC_BIND)
#endif

#endif
