/* SPDX-License-Identifier: MIT */
#include "shim/libcurl/dl.h"

#include "shim/base/libc.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static void *no_open(const char *file, int flags)
{
  (void)file;
  (void)flags;
  return NULL;
}

static void *no_sym(void *handle, const char *name)
{
  (void)handle;
  (void)name;
  return NULL;
}

void *(*dl_real_open)(const char *file, int flags) = no_open;
void *(*dl_real_sym)(void *handle, const char *name) = no_sym;

struct wanted {
  const char *name;
  void *found;
};

/* An address of the dynamic section: glibc has added the base to it, others have not. */
static const void *at(const struct dl_phdr_info *object, ElfW(Addr) address)
{
  return (const void *)(address < object->dlpi_addr ? object->dlpi_addr + address : address);
}

/* How many symbols an object has: in its older hash table that is a number, in GNU's it is
 * where the last chain ends. */
static uint32_t count_symbols(const uint32_t *hash, const uint32_t *gnu)
{
  if (hash || !gnu)
    return hash ? hash[1] : 0;
  /* Number of buckets, first symbol that is in one, words of the Bloom filter, its shift; then the filter,
   * the buckets, and a chain for each, whose last word has its lowest bit set. */
  const uint32_t *buckets = gnu + 4 + gnu[2] * (sizeof(ElfW(Addr)) / sizeof(uint32_t)),
                 *chains = buckets + gnu[0];
  uint32_t last = 0;
  for (uint32_t i = 0; i < gnu[0]; i++)
    last = buckets[i] > last ? buckets[i] : last;
  while (last && !(chains[last - gnu[1]] & 1))
    last++;
  return last ? last + 1 : 0;
}

/* Looks through one object's symbols; ours has the name as well, and is not meant. */
static int look(struct dl_phdr_info *object, size_t size, void *arg)
{
  struct wanted *wanted = arg;
  const ElfW(Dyn) *entry = NULL;
  const ElfW(Sym) *symbols = NULL;
  const uint32_t *hash = NULL, *gnu = NULL;
  const char *names = NULL;
  (void)size;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    uintptr_t begin = object->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_DYNAMIC)
      entry = (const void *)begin;
    if (segment->p_type == PT_LOAD && (uintptr_t)&dl_real_sym - begin < segment->p_memsz)
      return 0;
  }
  for (; entry && entry->d_tag != DT_NULL; entry++) {
    const void *value = at(object, entry->d_un.d_ptr);
    symbols = entry->d_tag == DT_SYMTAB ? value : symbols;
    names = entry->d_tag == DT_STRTAB ? value : names;
    hash = entry->d_tag == DT_HASH ? value : hash;
    gnu = entry->d_tag == DT_GNU_HASH ? value : gnu;
  }
  uint32_t count = symbols && names ? count_symbols(hash, gnu) : 0;
  /* One by one and not by the hash: it is seldom done, and either table's count will do. */
  for (uint32_t i = 1; i < count && !wanted->found; i++)
    if (symbols[i].st_shndx != SHN_UNDEF && strcmp(names + symbols[i].st_name, wanted->name) == 0)
      wanted->found = (void *)(object->dlpi_addr + symbols[i].st_value);
  return wanted->found != NULL;
}

/* For programs whose libdl has come after us, or whose libc is not glibc. */
static void *look_for(const char *name)
{
  struct wanted wanted = {.name = name};
  dl_iterate_phdr(look, &wanted);
  return wanted.found;
}

/* Every thread finds the same two. Whoever sees dl_real_sym sees the other as well. */
void dl_find_real(void)
{
  static _Atomic bool found;
  bool has = LIBC_HAS(dlvsym);
  if (found)
    return;
  /* The version that each glibc has: where a name is not found, older ones allocate what dlerror() says. */
  void *open = has ? dlvsym(RTLD_NEXT, "dlopen", OLD_GLIBC_FIRST) : look_for("dlopen"),
       *sym = has ? dlvsym(RTLD_NEXT, "dlsym", OLD_GLIBC_FIRST) : look_for("dlsym");
  if (!open || !sym)
    return;
  __atomic_store_n(&dl_real_open, open, __ATOMIC_RELAXED);
  __atomic_store_n(&dl_real_sym, sym, __ATOMIC_RELAXED);
  found = true;
}

struct place {
  const void *address;
  Dl_info *info;
};

static int is_there(struct dl_phdr_info *object, size_t size, void *arg)
{
  const struct place *place = arg;
  (void)size;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    if (segment->p_type == PT_LOAD &&
        (uintptr_t)place->address - (object->dlpi_addr + segment->p_vaddr) < segment->p_memsz) {
      *place->info = (Dl_info){.dli_fname = object->dlpi_name, .dli_fbase = (void *)object->dlpi_addr};
      return 1;
    }
  }
  return 0;
}

bool dl_object_of(const void *address, Dl_info *info)
{
  struct place place = {address, info};
  return LIBC_HAS(dlvsym) ? dladdr(address, info) != 0 : dl_iterate_phdr(is_there, &place) != 0;
}

void *dl_sym_in(const char *path, const char *name)
{
  void *object = path ? dl_real_open(path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
  void *symbol = object ? dl_real_sym(object, name) : NULL;
  /* NOLOAD counts one use more of what was there already. */
  if (object && LIBC_HAS(dlclose))
    dlclose(object);
  return symbol;
}
