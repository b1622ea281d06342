/* SPDX-License-Identifier: MIT */
/* The cache is asked because a library may lie in a directory that only /etc/ld.so.conf knows. */
#include "cli/elf/elf_cache.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* As glibc writes it since 2.2 (sysdeps/generic/dl-cache.h). Offsets count from the header. */
struct header {
  char magic[20];
  uint32_t count, strings_size;
  uint8_t flags, padding[3];
  uint32_t extension, unused[3];
};
struct entry {
  int32_t flags;
  uint32_t name, path, os_version;
  uint64_t capabilities;
};

/* The format since glibc 2.2; in caches of older systems it stands behind another one. */
#define MAGIC "glibc-ld.so.cache1.1"

/* Read once, kept for the life of the command. Older systems have another list before ours. */
static const char *load(size_t *size)
{
  static const char *bytes;
  static size_t length;
  int fd = bytes ? -1 : open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
  struct stat file;
  if (fd >= 0 && fstat(fd, &file) == 0 && file.st_size > 0) {
    void *map = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    const char *start =
        map == MAP_FAILED ? NULL : memmem(map, (size_t)file.st_size, MAGIC, sizeof(MAGIC) - 1);
    bytes = start;
    length = start ? (size_t)file.st_size - (size_t)(start - (const char *)map) : 0;
  }
  if (fd >= 0)
    close(fd);
  *size = length;
  return bytes;
}

/* A string that ends inside of the file, or NULL. */
static const char *text_at(const char *bytes, size_t size, uint32_t offset)
{
  return offset < size && memchr(bytes + offset, '\0', size - offset) ? bytes + offset : NULL;
}

/* Walks the whole list for each n: there are a few thousand entries, and few names are asked for. */
const char *cli_elf_cache(const char *name, size_t n, char *out, size_t size)
{
  size_t length;
  const char *bytes = load(&length);
  struct header header;
  if (!bytes || length < sizeof(header))
    return NULL;
  memcpy(&header, bytes, sizeof(header));
  for (uint32_t i = 0; i < header.count; i++) {
    struct entry entry;
    size_t at = sizeof(header) + (size_t)i * sizeof(entry);
    if (at + sizeof(entry) > length)
      return NULL;
    memcpy(&entry, bytes + at, sizeof(entry));
    const char *listed = text_at(bytes, length, entry.name), *path = text_at(bytes, length, entry.path);
    if (!listed || !path || strcmp(listed, name) != 0 || n-- > 0)
      continue;
    return (size_t)snprintf(out, size, "%s", path) < size ? out : NULL;
  }
  return NULL;
}
