/* SPDX-License-Identifier: MIT */
#include "shim/hooks/hook_dl.h"

#include "shim/hooks/elf_needed.h"
#include "shim/libcurl/libcurl.h"
#include "shim/runtime/runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

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

void dl_find_real(void)
{
  if (__atomic_load_n(&dl_real_sym, __ATOMIC_ACQUIRE))
    return;
  __atomic_store_n(&dl_real_open, versioned("dlopen"), __ATOMIC_RELAXED);
  __atomic_store_n(&dl_real_sym, versioned("dlsym"), __ATOMIC_RELEASE);
}

/* PHP's FFI module calls dlsym(), which its own DEEPBIND would take from libc instead of from us. */
static bool is_ffi_module(const char *file)
{
  const char *slash = strrchr(file, '/');
  return slash && strcmp(slash, "/ffi.so") == 0;
}

int dl_open_flags(const char *file, int flags)
{
  int saved = errno;
  dl_find_real();
  if ((flags & RTLD_DEEPBIND) && file && settings()->hook_dl && runtime_active() &&
      (is_ffi_module(file) || elf_needs_libcurl(file)))
    flags &= ~RTLD_DEEPBIND;
  errno = saved;
  return flags;
}

/* The stubs that we export, by the name without "curl_". */
static bool is_exported(const char *name)
{
  static const char *const names[] = {
#define X(name) #name,
      LIBCURL_HOOKED(X) LIBCURL_OPTIONAL(X)
#undef X
  };
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (strcmp(name, names[i]) == 0)
      return true;
  return false;
}

static void *stub_of(const char *name)
{
  Dl_info own;
  void *object =
      dladdr((void *)&dl_real_sym, &own) ? dl_real_open(own.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL;
  void *stub = object ? dl_real_sym(object, name) : NULL;
  if (object)
    dlclose(object);
  return stub;
}

/* A program that looks whether it has a libcurl, and has none: NULL, and dlerror() says so in the loader's
 * own words. */
static void *not_found(const char *name)
{
  return dl_real_sym(RTLD_NEXT, name);
}

/* Allocators and sanitizers ask for other names before anything works, strncmp() included. */
static bool begins_with_curl(const char *name)
{
  return name[0] == 'c' && name[1] == 'u' && name[2] == 'r' && name[3] == 'l' && name[4] == '_';
}

/* With two flavours in the process, a stub could not know for which of them it was taken. */
void *dl_sym_answer(void *handle, const char *name)
{
  dl_find_real();
  if (!name || !begins_with_curl(name) || handle == RTLD_NEXT || !is_exported(name + 5))
    return DL_PASS;
  if (!settings()->hook_dl || !runtime_active())
    return libcurl_count() ? DL_PASS : not_found(name);
  void *symbol = dl_real_sym(handle, name);
  if (!symbol || libcurl_count() > 1)
    return symbol;
  if (libcurl_is_ours(symbol))
    return libcurl_count() ? symbol : not_found(name);
  void *stub = stub_of(name);
  return stub ? stub : symbol;
}
