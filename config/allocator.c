/* SPDX-License-Identifier: MIT */
/*
 * allocator: the program's own memory functions, for the objects that are opened late.
 *
 * They are opened with RTLD_DEEPBIND, so that a host's OpenSSL does not capture theirs; but then libc's
 * malloc() would come before the one that the program has (jemalloc, mimalloc, tcmalloc: preloaded, or in the
 * program itself), and libc itself uses the program's: what strdup() returns would be freed by another
 * allocator than it came from. So each of these objects exports the functions that it and its libraries use,
 * before libc's, and they call the first ones that the program has.
 *
 * It is linked into these objects alone. In the front or in the command it would call itself.
 */
#include "config/old_glibc.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

/* A sanitizer does not allow DEEPBIND. */
#ifndef IDEM_SANITIZED

#define EXPORTED __attribute__((visibility("default")))

/* X(name, what it returns, its parameters, its arguments) */
#define FUNCTIONS(X)                                                                                         \
  X(malloc, void *, (size_t size), (size))                                                                   \
  X(calloc, void *, (size_t count, size_t size), (count, size))                                              \
  X(realloc, void *, (void *memory, size_t size), (memory, size))                                            \
  X(memalign, void *, (size_t alignment, size_t size), (alignment, size))                                    \
  X(aligned_alloc, void *, (size_t alignment, size_t size), (alignment, size))                               \
  X(posix_memalign, int, (void **memory, size_t alignment, size_t size), (memory, alignment, size))          \
  X(malloc_usable_size, size_t, (void *memory), (memory))

static struct {
#define MEMBER(name, type, parameters, arguments) __typeof__(name) *(name);
  FUNCTIONS(MEMBER)
  MEMBER(free, void, (void *), ())
} host;

/* RTLD_DEFAULT would begin with the object that asks. While the object is loaded no other
 * thread can come here. */
static __attribute__((constructor)) void find_host(void)
{
  void *program = dlopen(NULL, RTLD_LAZY);
#define FIND(name, type, parameters, arguments) host.name = (__typeof__(host.name))dlsym(program, #name);
  FUNCTIONS(FIND)
  FIND(free, void, (void *), ())
}

/* The constructors of its libraries run before that of the object. */
#define DEFINE(name, type, parameters, arguments)                                                            \
  EXPORTED type name parameters                                                                              \
  {                                                                                                          \
    if (!host.name)                                                                                          \
      find_host();                                                                                           \
    return host.name arguments;                                                                              \
  }
FUNCTIONS(DEFINE)
DEFINE(free, void, (void *memory), (memory))

#endif
