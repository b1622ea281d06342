/* SPDX-License-Identifier: MIT */
#include "store/base/claim_lock.h"

#include "config/kernel.h"
#include "store/base/fd.h"
#include "store/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Under process_lock_lists. The inode tells a claim from a file that the app has opened after it closed our
 * descriptor. */
static struct {
  struct held {
    int fd;
    ino_t inode;
    dev_t device;
  } * held;
  size_t count, room;
} claims;

/* Two keys share a byte once in 2^63: such calls then wait for each other, and nothing worse. */
static struct flock lock_of(const uint8_t *key, short type)
{
  uint64_t offset;
  memcpy(&offset, key, sizeof(offset));
  return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)(offset >> 1), .l_len = 1};
}

static struct held *find(int fd)
{
  for (size_t i = 0; i < claims.count; i++)
    if (claims.held[i].fd == fd)
      return &claims.held[i];
  return NULL;
}

static bool still_ours(const struct held *held)
{
  struct stat stat;
  return idem_fstat(held->fd, &stat) == 0 && stat.st_ino == held->inode && stat.st_dev == held->device;
}

/* Opens the file, locks, and lists the descriptor. There is room in the list before there is a lock. */
int claim_lock_take(const char *path, const uint8_t *key)
{
  PROCESS_LOCKED(lists);
  struct flock lock = lock_of(key, F_WRLCK);
  struct stat stat;
  if (claims.count == claims.room) {
    size_t room = claims.room ? 2 * claims.room : 16;
    struct held *held = realloc(claims.held, room * sizeof(*held));
    if (!held)
      return -ENOMEM;
    claims.held = held;
    claims.room = room;
  }
  int fd = fd_open(path, O_RDWR, 0);
  if (fd < 0)
    return fd;
  if (fcntl(fd, F_OFD_SETLK, &lock) < 0 || idem_fstat(fd, &stat) < 0) {
    int code = errno == EACCES ? -EAGAIN : -errno;
    close(fd);
    return code;
  }
  claims.held[claims.count++] = (struct held){fd, stat.st_ino, stat.st_dev};
  return fd;
}

bool claim_lock_held(int fd)
{
  PROCESS_LOCKED(lists);
  return find(fd) != NULL;
}

/* With `key` the lock goes too, whoever has a copy of the descriptor. */
void claim_lock_release(int fd, const uint8_t *key)
{
  PROCESS_LOCKED(lists);
  struct held *held = find(fd);
  if (held && still_ours(held)) {
    if (key) {
      struct flock lock = lock_of(key, F_UNLCK);
      fcntl(fd, F_OFD_SETLK, &lock);
    }
    close(fd);
  }
  if (held)
    *held = claims.held[--claims.count];
}

int claim_lock_taken(int fd, const uint8_t *key)
{
  struct flock lock = lock_of(key, F_WRLCK);
  if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
    return -errno;
  return lock.l_type != F_UNLCK;
}

void claim_lock_keep_only(int fd, int other)
{
  size_t kept = 0;
  for (size_t i = 0; i < claims.count; i++) {
    struct held held = claims.held[i];
    if (held.fd == fd || held.fd == other)
      claims.held[kept++] = held;
    else if (still_ours(&held))
      close(held.fd);
  }
  claims.count = kept;
}
