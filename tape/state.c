/* SPDX-License-Identifier: MIT */
/* Which exchanges a replay has given: one byte for each, shared by a process and its children, or through a
 * file by all processes of the replay. */
#include "store/base/fd.h"
#include "tape/match.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Allocated before it is mapped, for a full disk would be a SIGBUS. */
static int open_file(const char *path, size_t size, struct idem_error *error)
{
  int fd = fd_open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0)
    return path_fail(error, fd, path);
  int code = posix_fallocate(fd, 0, (off_t)size);
  if (code == 0)
    return fd;
  close(fd);
  return path_fail(error, -code, path);
}

/* Shared memory that children inherit, or a mapped file for processes that are not related. */
int tape_state_open(struct tape_matcher *matcher, const char *path, struct idem_error *error)
{
  const struct tape *tape = matcher->tape;
  uint64_t number = tape->count, there = 0;
  if (tape->file_count)
    number ^= tape_sum(&tape->files[0].head, tape->files[0].head.id, TAPE_ID_SIZE);
  number |= 1; /* never 0, which an empty file has */
  matcher->state_size = sizeof(struct tape_state) + tape->count;
  int fd = path ? open_file(path, matcher->state_size, error) : -1;
  if (path && fd < 0)
    return fd;
  void *map = mmap(NULL, matcher->state_size, PROT_READ | PROT_WRITE,
                   path ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, fd, 0);
  int code = errno;
  if (fd >= 0)
    close(fd);
  if (map == MAP_FAILED)
    return path_fail(error, -code, path ? path : tape->dir);
  matcher->state = map;
  if (!atomic_compare_exchange_strong(&matcher->state->tape, &there, number) && there != number)
    return idem_error_set(error, -EINVAL, "%s: belongs to the replay of another tape", path);
  return 0;
}

/* The file stays for the other processes. */
void tape_state_close(struct tape_matcher *matcher)
{
  if (matcher->state)
    munmap(matcher->state, matcher->state_size);
}
