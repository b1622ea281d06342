/* SPDX-License-Identifier: MIT */
#include "shim/hooks/elf_needed.h"

#include "shim/libcurl/libcurl.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
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

bool elf_needs_libcurl(const char *path)
{
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return false;
  bool needs = false;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
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
