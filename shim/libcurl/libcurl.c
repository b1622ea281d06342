/* SPDX-License-Identifier: MIT */
#include "shim/libcurl/libcurl.h"

#include "shim/base/libc.h"
#include "shim/libcurl/dl.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

struct libcurl libcurl_bound[LIBCURL_MAX];
_Atomic unsigned libcurl_bound_count;
static pthread_mutex_t bind_lock = PTHREAD_MUTEX_INITIALIZER;

static const void *object_base(const void *address)
{
  Dl_info info;
  return dl_object_of(address, &info) ? info.dli_fbase : NULL;
}

bool libcurl_is_ours(const void *symbol)
{
  return object_base(symbol) == object_base((const void *)&libcurl_bound);
}

/* Looks in the caller's own scope: the object itself and what it is linked with, whatever the global scope
 * holds. */
static void *find_in_caller_scope(const void *return_address)
{
  Dl_info info;
  struct link_map *map = NULL;
  /* The main program has no name in its link map. Its scope is the global one, which RTLD_NEXT goes
   * through. */
  if (!LIBC_HAS(dlvsym) || !dladdr1(return_address, &info, (void **)&map, RTLD_DL_LINKMAP) || !map ||
      !map->l_name[0])
    return NULL;
  void *symbol = dl_sym_in(map->l_name, "curl_easy_init");
  /* A preload that comes before us and wraps it would be called by us, and we by it. */
  if (symbol && symbol == dl_real_sym(RTLD_DEFAULT, "curl_easy_init"))
    return NULL;
  return symbol && !libcurl_is_ours(symbol) ? symbol : NULL;
}

bool libcurl_is_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  return strncmp(name, "libcurl.", 8) == 0 || strncmp(name, "libcurl-", 8) == 0;
}

static int note_libcurl_object(struct dl_phdr_info *info, size_t size, void *found)
{
  (void)size;
  if (!info->dlpi_name || !libcurl_is_name(info->dlpi_name))
    return 0;
  *(const char **)found = info->dlpi_name;
  return 1;
}

static int count_libcurl_object(struct dl_phdr_info *info, size_t size, void *count)
{
  (void)size;
  *(unsigned *)count += info->dlpi_name && libcurl_is_name(info->dlpi_name);
  return 0;
}

unsigned libcurl_count(void)
{
  unsigned count = 0;
  dl_iterate_phdr(count_libcurl_object, &count);
  return count;
}

static void *find_easy_init(const void *return_address)
{
  const char *path = NULL;
  void *symbol = find_in_caller_scope(return_address);
  if (!symbol)
    symbol = dl_real_sym(RTLD_NEXT, "curl_easy_init");
  if (symbol)
    return symbol;
  /* A tail call makes a plugin look like the main program, whose scope knows nothing of a libcurl that was
   * loaded RTLD_LOCAL. */
  dl_iterate_phdr(note_libcurl_object, &path);
  return dl_sym_in(path, "curl_easy_init");
}

static const struct libcurl *find_bound(const void *base)
{
  unsigned count = atomic_load_explicit(&libcurl_bound_count, memory_order_acquire);
  for (unsigned i = 0; i < count; i++)
    if (libcurl_bound[i].base == base)
      return &libcurl_bound[i];
  return NULL;
}

const struct libcurl *libcurl_itself(const void *return_address)
{
  unsigned count = atomic_load_explicit(&libcurl_bound_count, memory_order_acquire);
  for (unsigned i = 0; i < count; i++)
    if (libcurl_has(&libcurl_bound[i], return_address))
      return &libcurl_bound[i];
  return NULL;
}

/* The end of what is mapped of the object at `table->base`. */
static int note_end(struct dl_phdr_info *info, size_t size, void *arg)
{
  struct libcurl *table = arg;
  (void)size;
  const char *end = NULL;
  bool found = false;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    const char *start = (const char *)info->dlpi_addr + segment->p_vaddr;
    /* They are in the order of their addresses (ELF, "Program Header"), so that the last one ends the
     * object. */
    if (segment->p_type != PT_LOAD)
      continue;
    found |= table->base >= (const void *)start && table->base < (const void *)(start + segment->p_memsz);
    end = start + segment->p_memsz;
  }
  if (found)
    table->end = end;
  return found;
}

/* A preload that comes after us and wraps some of libcurl's functions has those alone: the others are what
 * the program would have got without us. */
static bool is_wrapper(const char *path, const void *base)
{
  void *next = libcurl_is_name(path) ? NULL : dl_real_sym(RTLD_NEXT, "curl_easy_init");
  return next && object_base(next) == base && !dl_sym_in(path, "curl_version_info");
}

/* The object is never closed again: callers such as PHP unload libcurl before they exit, and our table would
 * dangle. */
static bool fill(struct libcurl *table, const char *path, const void *base)
{
  void *object = dl_real_open(path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  if (!object)
    return false;
  bool wraps = is_wrapper(path, base);
#define X(name)                                                                                              \
  table->name = (__typeof__(table->name))dl_real_sym(object, "curl_" #name);                                 \
  if (!table->name && wraps)                                                                                 \
    table->name = (__typeof__(table->name))dl_real_sym(RTLD_NEXT, "curl_" #name);
  LIBCURL_NEEDED(X)
  LIBCURL_OPTIONAL(X)
#undef X
#define X(name)                                                                                              \
  if (!table->name && !table->lacks)                                                                         \
    table->lacks = "curl_" #name;
  LIBCURL_NEEDED(X)
#undef X
  if (!table->lacks) {
    /* Only its first members are read, which every version has. */
    const curl_version_info_data *about = table->version_info(CURLVERSION_FIRST);
    table->version = about->version_num;
    table->unix_sockets = about->features & CURL_VERSION_UNIX_SOCKETS;
  }
  table->is_library = libcurl_is_name(path);
  table->base = table->end = base;
  dl_iterate_phdr(note_end, table);
  return true;
}

static const struct libcurl *bind_object(const char *path, const void *base)
{
  pthread_mutex_lock(&bind_lock);
  const struct libcurl *table = find_bound(base);
  unsigned count = atomic_load_explicit(&libcurl_bound_count, memory_order_relaxed);
  if (!table && count < LIBCURL_MAX && fill(&libcurl_bound[count], path, base)) {
    table = &libcurl_bound[count];
    /* Lookups take no lock: the table is whole before the number says that it is there. */
    atomic_store_explicit(&libcurl_bound_count, count + 1, memory_order_release);
  }
  pthread_mutex_unlock(&bind_lock);
  return table;
}

const struct libcurl *libcurl_of(const void *return_address)
{
  /* libcurl calls its own exports: no look at the loader for that. */
  const struct libcurl *itself = libcurl_itself(return_address);
  if (itself)
    return itself;
  dl_find_real();
  void *symbol = find_easy_init(return_address);
  Dl_info info;
  if (!symbol || libcurl_is_ours(symbol) || !dl_object_of(symbol, &info))
    return NULL;
  const struct libcurl *table = find_bound(info.dli_fbase);
  return table ? table : bind_object(info.dli_fname, info.dli_fbase);
}

void libcurl_lock(void)
{
  pthread_mutex_lock(&bind_lock);
}

void libcurl_unlock(void)
{
  pthread_mutex_unlock(&bind_lock);
}
