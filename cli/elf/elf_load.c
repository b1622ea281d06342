/* SPDX-License-Identifier: MIT */
/*
 * The search of ld.so(8), in its order: a name with a slash as it is, DT_RPATH of the object and of who
 * needed it, LD_LIBRARY_PATH, DT_RUNPATH, the cache, the default directories. Libraries of other machines are
 * passed over, as the dynamic linker does. Nothing is run: ldd would start the program's own interpreter,
 * which may be anybody's.
 */
#include "cli/elf/elf_load.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the cache ---- */

/* As glibc writes it since 2.2 (sysdeps/generic/dl-cache.h). Offsets count from the header. */
struct header {
  char magic[20];
  uint32_t count, strings_size;
  uint8_t flags, padding[3];
  uint32_t extension, unused[3];
};
/* Neither flags nor capabilities are looked at: what is for another machine is found out when it is
 * opened. */
struct entry {
  int32_t flags;
  uint32_t name, path, os_version;
  uint64_t capabilities;
};

/* The format since glibc 2.2; in caches of older systems it stands behind another one. */
#define MAGIC "glibc-ld.so.cache1.1"

/* Read once, kept for the life of the command. Older systems have another list before ours. */
static const char *load_cache(size_t *size)
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
static const char *cached_text(const char *bytes, size_t size, uint32_t offset)
{
  return offset < size && memchr(bytes + offset, '\0', size - offset) ? bytes + offset : NULL;
}

/* Walks the whole list for each n: there are a few thousand entries, and few names are asked for. */
const char *cli_elf_cache(const char *name, size_t n, char *out, size_t size)
{
  size_t length;
  const char *bytes = load_cache(&length);
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
    const char *listed = cached_text(bytes, length, entry.name),
               *path = cached_text(bytes, length, entry.path);
    if (!listed || !path || strcmp(listed, name) != 0 || n-- > 0)
      continue;
    return (size_t)snprintf(out, size, "%s", path) < size ? out : NULL;
  }
  return NULL;
}

/* ---- objects ---- */

/* Where glibc looks at last; Debian's own directories first. */
#if defined(__x86_64__)
/* Debian's name for the machine, in the names of its library directories. */
#define TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#endif
static const char *const default_directories =
    "/lib/" TRIPLET ":/usr/lib/" TRIPLET ":/lib64:/usr/lib64:/lib:/usr/lib";

/* More than any program has; a cycle cannot reach it, for no name is added twice. */
enum { MOST_OBJECTS = 4096 };

static void release(struct cli_object *object)
{
  cli_elf_close(&object->elf);
  free(object->path);
  free(object->asked);
}

/* The list moves when it grows, so objects are named by index while it is built. */
static int append(struct cli_objects *objects, const struct cli_object *object)
{
  struct cli_object *list = realloc(objects->list, (objects->count + 1) * sizeof(*list));
  if (!list)
    return -ENOMEM;
  objects->list = list;
  list[objects->count++] = *object;
  return 0;
}

/* A library of another machine is passed over, as the dynamic linker does. */
static int add(struct cli_objects *objects, const char *path, const char *asked, size_t needed_by)
{
  struct cli_object object = {.needed_by = needed_by};
  int result = cli_elf_open(&object.elf, path);
  if (result == 0 && asked && object.elf.foreign)
    result = -ENOEXEC;
  if (result == 0 && (!(object.path = strdup(path)) || (asked && !(object.asked = strdup(asked)))))
    result = -ENOMEM;
  if (result == 0) {
    const char *slash = strrchr(object.path, '/');
    object.name = slash ? slash + 1 : object.path;
    result = append(objects, &object);
  }
  if (result < 0)
    release(&object);
  return result;
}

/* Added by its path, and so asked for by nobody. */
int cli_objects_add(struct cli_objects *objects, const char *path)
{
  return add(objects, path, NULL, objects->count);
}

void cli_objects_release(struct cli_objects *objects)
{
  for (size_t i = 0; i < objects->count; i++)
    release(&objects->list[i]);
  free(objects->list);
  free(objects->missing);
  *objects = (struct cli_objects){0};
}

/* ---- one library ---- */

/* One library that is looked for, and for whom. */
struct wanted {
  struct cli_objects *objects;
  size_t by; /* index of the object that needs it */
  const char *name;
};

/* The first file of that name that can be loaded ends the search. */
static bool try_path(const struct wanted *wanted, const char *path)
{
  return add(wanted->objects, path, wanted->name, wanted->by) == 0;
}

/* A directory of a search path; $ORIGIN is where the object lies that named it. The owner is the
 * object that has the path in it, for $ORIGIN is relative to that one; it need not be the object
 * that needs the library. */
static bool try_directory(const struct wanted *wanted, const char *directory, size_t len, const char *owner)
{
  /* $LIB and $PLATFORM (ld.so(8)), which hardly any path has, are not expanded: such a directory has no
   * file. */
  static const char *const origins[] = {"$ORIGIN", "${ORIGIN}"};
  char path[PATH_MAX];
  const char *slash = strrchr(owner, '/');
  int origin_len = 0;
  for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++)
    if (strncmp(directory, origins[i], strlen(origins[i])) == 0) {
      origin_len = slash ? (int)(slash - owner) : 0;
      directory += strlen(origins[i]);
      len -= strlen(origins[i]);
      break;
    }
  int needed =
      snprintf(path, sizeof(path), "%.*s%.*s/%s", origin_len, owner, (int)len, directory, wanted->name);
  return needed > 0 && (size_t)needed < sizeof(path) && try_path(wanted, path);
}

/* Directories with : or ; between them; empty ones are passed over. */
static bool try_path_list(const struct wanted *wanted, const char *list, const char *owner)
{
  for (const char *at = list; at && *at;) {
    size_t len = strcspn(at, ":;");
    if (len && try_directory(wanted, at, len, owner))
      return true;
    at += len + (at[len] != '\0');
  }
  return false;
}

/* DT_RPATH counts for what an object's own libraries need too, unless there is a DT_RUNPATH. */
static bool try_rpaths(const struct wanted *wanted)
{
  size_t i = wanted->by;
  /* ld.so(8): an object that has DT_RUNPATH is looked for by that, and no DT_RPATH counts for it. */
  if (cli_elf_dynamic_text(&wanted->objects->list[i].elf, DT_RUNPATH, 0))
    return false;
  for (;;) {
    const struct cli_object *object = &wanted->objects->list[i];
    if (!cli_elf_dynamic_text(&object->elf, DT_RUNPATH, 0) &&
        try_path_list(wanted, cli_elf_dynamic_text(&object->elf, DT_RPATH, 0), object->path))
      return true;
    /* Added, and needed by nobody: the end of the way up. */
    if (object->needed_by == i)
      return false;
    i = object->needed_by;
  }
}

/* By the name that it was asked for or by its own soname, as the dynamic linker compares. */
static bool is_there(const struct cli_objects *objects, const char *name)
{
  for (size_t i = 0; i < objects->count; i++) {
    const struct cli_object *object = &objects->list[i];
    const char *own_name = cli_elf_dynamic_text(&object->elf, DT_SONAME, 0);
    if ((object->asked && strcmp(object->asked, name) == 0) || (own_name && strcmp(own_name, name) == 0))
      return true;
  }
  return false;
}

/* True if the library was found and added. Several machines' libraries may have one name, so each entry of
 * the cache is tried. */
static bool find(const struct wanted *wanted)
{
  char path[PATH_MAX];
  const struct cli_object *by = &wanted->objects->list[wanted->by];
  if (strchr(wanted->name, '/'))
    return try_path(wanted, wanted->name);
  if (try_rpaths(wanted) || try_path_list(wanted, getenv("LD_LIBRARY_PATH"), by->path) ||
      try_path_list(wanted, cli_elf_dynamic_text(&by->elf, DT_RUNPATH, 0), by->path))
    return true;
  for (size_t n = 0; cli_elf_cache(wanted->name, n, path, sizeof(path)); n++)
    if (try_path(wanted, path))
      return true;
  return try_path_list(wanted, default_directories, by->path);
}

/* The list grows while it is walked, which makes the walk a breadth-first search. */
void cli_objects_follow(struct cli_objects *objects)
{
  for (size_t i = 0; i < objects->count && objects->count < MOST_OBJECTS; i++) {
    struct wanted wanted = {.objects = objects, .by = i};
    for (size_t n = 0; (wanted.name = cli_elf_dynamic_text(&objects->list[i].elf, DT_NEEDED, n)); n++)
      /* The first that is missing: the program would not start, and say this one. */
      if (!is_there(objects, wanted.name) && !find(&wanted) && !objects->missing)
        objects->missing = strdup(wanted.name);
  }
}
