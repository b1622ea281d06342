/* SPDX-License-Identifier: MIT */
#include "shim/hooks/hook_dl.h"

#include "config/kernel.h"
#include "shim/base/libc.h"
#include "shim/libcurl/dl.h"
#include "shim/libcurl/libcurl.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
  const unsigned char *data;
  size_t size;
};

/* `count` structs of `size` bytes at `offset`, if they are inside the file. */
static const void *at(const struct image *image, uint64_t offset, uint64_t size, uint64_t count)
{
  if (offset > image->size || (size && count > (image->size - offset) / size))
    return NULL;
  return image->data + offset;
}

/* Where a virtual address lies in the file. */
static bool offset_of(const ElfW(Phdr) * segments, unsigned count, uint64_t address, uint64_t *offset)
{
  for (unsigned i = 0; i < count; i++)
    if (segments[i].p_type == PT_LOAD && address >= segments[i].p_vaddr &&
        address - segments[i].p_vaddr < segments[i].p_filesz) {
      *offset = address - segments[i].p_vaddr + segments[i].p_offset;
      return true;
    }
  return false;
}

/* A name that does not end within the file is none. */
static bool names_libcurl(const struct image *image, uint64_t strings, const ElfW(Dyn) * entries,
                          uint64_t count)
{
  for (uint64_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
    const char *name = entries[i].d_tag == DT_NEEDED && entries[i].d_un.d_val < image->size
                           ? at(image, strings + entries[i].d_un.d_val, 1, 1)
                           : NULL;
    if (name && memchr(name, '\0', image->size - (size_t)((const unsigned char *)name - image->data)) &&
        libcurl_is_name(name))
      return true;
  }
  return false;
}

/* The string table is given by its address in memory, so its segment says where in the file it is. */
static bool dynamic_names_libcurl(const struct image *image, const ElfW(Phdr) * segments, unsigned count,
                                  const ElfW(Phdr) * dynamic)
{
  uint64_t entry_count = dynamic->p_filesz / sizeof(ElfW(Dyn)), strings = 0;
  const ElfW(Dyn) *entries = at(image, dynamic->p_offset, sizeof(*entries), entry_count);
  bool found = false;
  for (uint64_t i = 0; entries && i < entry_count && entries[i].d_tag != DT_NULL; i++)
    if (entries[i].d_tag == DT_STRTAB)
      found = offset_of(segments, count, entries[i].d_un.d_ptr, &strings);
  return found && strings < image->size && names_libcurl(image, strings, entries, entry_count);
}

static bool image_needs_libcurl(const struct image *image)
{
  const ElfW(Ehdr) *header = at(image, 0, sizeof(*header), 1);
  if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_phentsize != sizeof(ElfW(Phdr)))
    return false;
  const ElfW(Phdr) *segments = at(image, header->e_phoff, sizeof(*segments), header->e_phnum);
  for (unsigned i = 0; segments && i < header->e_phnum; i++)
    if (segments[i].p_type == PT_DYNAMIC)
      return dynamic_names_libcurl(image, segments, header->e_phnum, &segments[i]);
  return false;
}

/* True if the ELF file at this path has a libcurl among its DT_NEEDED; false for anything unreadable. The
 * file is mapped and every offset in it checked, so that nothing is allocated and a damaged file does no
 * harm. */
static bool elf_needs_libcurl(const char *path)
{
  struct stat status;
  /* The path may be a FIFO's, which is not waited for, or a terminal's, which must not become this process's
   * own. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return false;
  bool needs = false;
  if (idem_fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    struct image image = {MAP_FAILED, (size_t)status.st_size};
    image.data = mmap(NULL, image.size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (image.data != MAP_FAILED) {
      needs = image_needs_libcurl(&image);
      munmap((void *)image.data, image.size);
    }
  }
  close(fd);
  return needs;
}

/* PHP's FFI module calls dlsym(), which its own DEEPBIND would take from libc instead of from us. */
static bool is_ffi_module(const char *file)
{
  const char *slash = strrchr(file, '/');
  return slash && strcmp(slash, "/ffi.so") == 0;
}

/* A name that nobody else knows, to see whether somebody's dlsym() asks ours. */
static const char probe[] = "curl_idemshim_probe";

/* Another preload may have a dlsym() that comes before ours, and ask libc's: a program that takes libcurl's
 * functions with it then passes by. It is about to, for it opens libcurl itself. */
static void look_for_another_dlsym(void)
{
  static atomic_flag looked = ATOMIC_FLAG_INIT;
  Dl_info info = {0};
  if (atomic_flag_test_and_set(&looked))
    return;
  void *(*first)(void *, const char *) = (void *(*)(void *, const char *))dl_real_sym(RTLD_DEFAULT, "dlsym");
  if (first && !libcurl_is_ours((void *)first) && first(RTLD_DEFAULT, probe) != probe)
    report_line(
        "the dlsym() of %s comes before that of libidemshim.so, and calls to libcurl that this program makes "
        "by way of it go out as if idemshim were not there; name libidemshim.so first in LD_PRELOAD",
        dladdr((void *)first, &info) ? info.dli_fname : "another object");
}

int hook_dl_open_flags(const char *file, int flags)
{
  int saved = errno;
  dl_find_real();
  if (file && libcurl_is_name(file) && settings()->hook_dl && settings_active())
    look_for_another_dlsym();
  /* Wrappers such as cwrap's open libc by its name under a lock that they take in every system call as well:
   * nothing is loaded then. */
  if ((flags & RTLD_DEEPBIND) && file && strchr(file, '/') && settings()->hook_dl && settings_active() &&
      (is_ffi_module(file) || elf_needs_libcurl(file)))
    flags &= ~RTLD_DEEPBIND;
  errno = saved;
  return flags;
}

/* True for the name, without "curl_", of a stub that we export. */
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

/* Allocators and sanitizers ask for other names before anything works, strncmp() included. */
static bool begins_with_curl(const char *name)
{
  return name[0] == 'c' && name[1] == 'u' && name[2] == 'r' && name[3] == 'l' && name[4] == '_';
}

/* A library that came by dlmopen() has another libc as well, and nobody there calls our stubs. */
static bool is_in_another_namespace(void *symbol)
{
  Dl_info info;
  struct link_map *map = NULL;
  Lmid_t namespace = LM_ID_BASE;
  return dladdr1(symbol, &info, (void **)&map, RTLD_DL_LINKMAP) && map &&
         dlinfo(map, RTLD_DI_LMID, &namespace) == 0 && namespace != LM_ID_BASE;
}

/* With two flavours in the process, a stub could not know for which of them it was taken. */
void *hook_dl_sym_answer(void *handle, const char *name)
{
  dl_find_real();
  if (!name || !begins_with_curl(name))
    return HOOK_DL_PASS;
  if (strcmp(name, probe) == 0)
    return (void *)(uintptr_t)probe;
  /* RTLD_NEXT goes by the return address, which the real one sees, to which the thunk jumps. */
  if (handle == RTLD_NEXT || !is_exported(name + 5))
    return HOOK_DL_PASS;
  void *symbol = dl_real_sym(handle, name);
  /* A program that looks whether it has a libcurl, or one with this function, and has none: NULL, and
   * dlerror() says so in the loader's own words. */
  if (symbol && libcurl_is_ours(symbol) && !dl_real_sym(RTLD_NEXT, name))
    return NULL;
  if (!symbol || !settings()->hook_dl || !settings_active())
    return HOOK_DL_PASS;
  if (libcurl_count() > 1 || libcurl_is_ours(symbol) || is_in_another_namespace(symbol))
    return symbol;
  Dl_info own;
  void *stub = dl_object_of((void *)&dl_real_sym, &own) ? dl_sym_in(own.dli_fname, name) : NULL;
  return stub ? stub : symbol;
}
