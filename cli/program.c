/* SPDX-License-Identifier: MIT */
#include "cli/program.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A script's interpreter may be a script; Linux itself gives up at this depth. */
enum { DEEPEST = 4 };

/* Who it would run as. */

/* The cases in which the kernel starts a program in secure mode, where the dynamic linker ignores LD_PRELOAD.
 */
static const char *privilege(int fd)
{
  struct stat file;
  if (fstat(fd, &file) < 0)
    return NULL;
  if (file.st_mode & S_ISUID && file.st_uid != getuid())
    return "is setuid";
  if ((file.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && file.st_gid != getgid())
    return "is setgid";
  if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
    return "has file capabilities";
  return NULL;
}

/* How it is linked. */

/* The beginnings of the two classes' headers are alike; what follows has other widths. */
union header {
  unsigned char ident[EI_NIDENT];
  Elf32_Ehdr h32;
  Elf64_Ehdr h64;
  char text[256];
};

static bool read_header(int fd, union header *header)
{
  memset(header, 0, sizeof(*header));
  return pread(fd, header, sizeof(*header) - 1, 0) > 4;
}

static bool has_interpreter(int fd, const union header *header)
{
  bool wide = header->ident[EI_CLASS] == ELFCLASS64;
  uint64_t offset = wide ? header->h64.e_phoff : header->h32.e_phoff;
  unsigned count = wide ? header->h64.e_phnum : header->h32.e_phnum;
  unsigned size = wide ? header->h64.e_phentsize : header->h32.e_phentsize;
  for (unsigned i = 0; i < count; i++) {
    uint32_t type; /* the first field in both classes */
    if (pread(fd, &type, sizeof(type), (off_t)(offset + (uint64_t)i * size)) != sizeof(type))
      return true;
    if (type == PT_INTERP)
      return true;
  }
  return false;
}

/* Made for the machine that this command was made for? */
static bool same_machine(const union header *header)
{
  union header own;
  int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  bool same = fd < 0 || !read_header(fd, &own) ||
              (own.ident[EI_CLASS] == header->ident[EI_CLASS] && own.h64.e_machine == header->h64.e_machine);
  if (fd >= 0)
    close(fd);
  return same;
}

static const char *linkage(int fd, const union header *header)
{
  if (!same_machine(header))
    return "is made for another kind of machine than libidemshim.so";
  return has_interpreter(fd, header) ? NULL : "is linked statically";
}

/* Finding the file. */

static bool try_path(char *out, size_t size, const char *directory, size_t len, const char *name)
{
  struct stat file;
  int needed = snprintf(out, size, "%.*s%s%s", (int)len, directory, len ? "/" : "", name);
  return needed > 0 && (size_t)needed < size && stat(out, &file) == 0 && S_ISREG(file.st_mode) &&
         access(out, X_OK) == 0;
}

static bool find(char *out, size_t size, const char *name)
{
  const char *path = getenv("PATH");
  if (strchr(name, '/'))
    return try_path(out, size, "", 0, name);
  for (const char *at = path ? path : "/bin:/usr/bin";; at++) {
    size_t len = strcspn(at, ":");
    if (try_path(out, size, at, len, name))
      return true;
    at += len;
    if (!*at)
      return false;
  }
}

/* The look. */

static bool look(const char *path, int depth, char *reason, size_t size);

static bool look_at_interpreter(char *line, int depth, char *reason, size_t size)
{
  line += strspn(line, " \t");
  line[strcspn(line, " \t\r\n")] = '\0';
  char because[128];
  if (!*line || !look(line, depth + 1, because, sizeof(because)))
    return false;
  snprintf(reason, size, "is a script for %s, which %s", line, because);
  return true;
}

static bool look_at(int fd, int depth, char *reason, size_t size)
{
  union header header;
  const char *problem = NULL;
  if (!read_header(fd, &header))
    return false;
  if (memcmp(header.text, "#!", 2) == 0)
    return look_at_interpreter(header.text + 2, depth, reason, size);
  if (memcmp(header.ident, ELFMAG, SELFMAG) == 0)
    problem = privilege(fd) ? privilege(fd) : linkage(fd, &header);
  if (problem)
    snprintf(reason, size, "%s, and cannot be given a preload", problem);
  return problem;
}

static bool look(const char *path, int depth, char *reason, size_t size)
{
  int fd = depth < DEEPEST ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0)
    return false;
  bool problem = look_at(fd, depth, reason, size);
  close(fd);
  return problem;
}

bool cli_program_problem(const char *name, char *reason, size_t size)
{
  char path[4096];
  return find(path, sizeof(path), name) && look(path, 0, reason, size);
}
