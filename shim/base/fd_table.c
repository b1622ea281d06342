/* SPDX-License-Identifier: MIT */
#include "shim/base/fd_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How many are tried where /proc is not mounted. */
#define DESCRIPTORS_MOST 65536

/* The kernel's own layout [getdents64(2)]. */
struct entry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

/* -1 for "." and "..". */
static int number_of(const char *digits)
{
  int number = *digits == '.' ? -1 : 0;
  for (; *digits >= '0' && *digits <= '9'; digits++)
    number = number * 10 + (*digits - '0');
  return number;
}

/* False if the listing did not come to its end; what it has had until then is visited again by the other
 * way. */
static bool each_listed(void (*visit)(void *arg, int fd), void *arg)
{
  _Alignas(8) char room[4096];
  int listing = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  long len = -1;
  if (listing < 0)
    return false;
  while ((len = syscall(SYS_getdents64, listing, room, sizeof(room))) > 0)
    for (long at = 0; at < len;) {
      const struct entry *entry = (const struct entry *)(room + at);
      int fd = number_of(entry->name);
      if (fd >= 0 && fd != listing)
        visit(arg, fd);
      at += entry->size;
    }
  close(listing);
  return len == 0;
}

void fd_each(void (*visit)(void *arg, int fd), void *arg)
{
  if (each_listed(visit, arg))
    return;
  for (int fd = 0; fd < DESCRIPTORS_MOST; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      visit(arg, fd);
}

/* How many there are from the lowest free number on; errno stays. */
static rlim_t free_descriptors(struct rlimit *limit)
{
  int saved = errno, lowest = eventfd(0, EFD_CLOEXEC);
  if (lowest >= 0)
    close(lowest);
  bool known = getrlimit(RLIMIT_NOFILE, limit) == 0;
  errno = saved;
  return lowest >= 0 && known && (rlim_t)lowest < limit->rlim_cur ? limit->rlim_cur - (rlim_t)lowest : 0;
}

bool fd_multi_may_have_one(unsigned ours)
{
  struct rlimit limit = {0};
  rlim_t left = free_descriptors(&limit);
  return left > 0 && left >= limit.rlim_cur / 4 && ours < limit.rlim_cur / 4;
}

bool fd_are_free(unsigned count)
{
  struct rlimit limit;
  return free_descriptors(&limit) >= count;
}
