/* SPDX-License-Identifier: MIT */
#include "shim/libcurl/dl.h"

#include <dlfcn.h>
#include <stddef.h>

void *(*dl_real_open)(const char *file, int flags);
void *(*dl_real_sym)(void *handle, const char *name);

/* glibc 2.34 has moved both into libc; before, they have the version of their architecture's first glibc. */
#if defined(__x86_64__)
#define FIRST_VERSION "GLIBC_2.2.5"
#else
#define FIRST_VERSION "GLIBC_2.17"
#endif

static void *versioned(const char *name)
{
  void *symbol = dlvsym(RTLD_NEXT, name, "GLIBC_2.34");
  return symbol ? symbol : dlvsym(RTLD_NEXT, name, FIRST_VERSION);
}

/* Every thread finds the same two. Whoever sees dl_real_sym sees the other as well. */
void dl_find_real(void)
{
  if (__atomic_load_n(&dl_real_sym, __ATOMIC_ACQUIRE))
    return;
  __atomic_store_n(&dl_real_open, versioned("dlopen"), __ATOMIC_RELAXED);
  __atomic_store_n(&dl_real_sym, versioned("dlsym"), __ATOMIC_RELEASE);
}

void *dl_sym_in(const char *path, const char *name)
{
  void *object = path ? dl_real_open(path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
  void *symbol = object ? dl_real_sym(object, name) : NULL;
  if (object)
    dlclose(object);
  return symbol;
}
