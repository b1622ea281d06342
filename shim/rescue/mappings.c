/* SPDX-License-Identifier: MIT */
#include "shim/rescue/mappings.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How a shared mapping is called; the first that fits counts, and what none fits stays. Under /dev there is
 * memory as well, which is a file's. */
static const struct {
  const char *begins;
  bool goes;
} kinds[] = {
    {"/SYSV", true},       {"/dev/shm/", false}, {"/dev/zero", false}, {"/dev/hugepages/", false},
    {"anon_inode:", true}, {"/dev/", true},      {"/dmabuf", true},    {"socket:", true},
};

static unsigned long read_hex(const char **at)
{
  static const char digits[] = "0123456789abcdef";
  unsigned long number = 0;
  for (const char *digit; **at && (digit = strchr(digits, **at)); (*at)++)
    number = number * 16 + (unsigned long)(digit - digits);
  return number;
}

static const char *behind_field(const char *at)
{
  at += strcspn(at, " ");
  return at + strspn(at, " ");
}

/* "7f2c4000-7f2c8000 rw-s 00000000 00:01 32769      /SYSV00000000 (deleted)" [proc_pid_maps(5)]. To unmap a
 * segment is to detach it. */
static bool let_go(const char *line)
{
  unsigned long first = read_hex(&line);
  line += *line == '-';
  unsigned long last = read_hex(&line);
  const char *mode = behind_field(line), *name = mode;
  for (int i = 0; i < 4; i++)
    name = behind_field(name);
  if (strcspn(mode, "s ") != 3)
    return true;
  for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
    if (strncmp(name, kinds[i].begins, strlen(kinds[i].begins)) == 0)
      return !kinds[i].goes || syscall(SYS_munmap, first, last - first) == 0;
  return true;
}

/* Bare system calls, as in process_copy.c. The kernel goes on by the address, whatever
 * was unmapped meanwhile. */
bool mappings_let_go(void)
{
  char room[4096], line[128];
  size_t len = 0;
  bool all = true;
  ssize_t got = -1;
  int maps = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
  while (maps >= 0 && (got = syscall(SYS_read, maps, room, sizeof(room))) > 0)
    for (ssize_t i = 0; i < got; i++)
      if (room[i] != '\n') {
        line[len] = room[i];
        len += len < sizeof(line) - 1;
      } else {
        line[len] = '\0';
        len = 0;
        all = let_go(line) && all;
      }
  if (maps >= 0)
    syscall(SYS_close, maps);
  return all && got == 0;
}
