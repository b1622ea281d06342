/* SPDX-License-Identifier: MIT */
#include "store/base/claim_lock.h"

#include "config/kernel.h"
#include "store/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two keys share a byte once in 2^63: such calls then wait for each other, and nothing worse. */
static struct flock lock_of(const uint8_t *key, short type)
{
  uint64_t offset;
  memcpy(&offset, key, sizeof(offset));
  return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)(offset >> 1), .l_len = 1};
}

bool claim_file_is(const struct claims_file *file, int fd)
{
  struct stat stat;
  return idem_fstat(fd, &stat) == 0 && stat.st_ino == file->inode && stat.st_dev == file->device;
}

/* The lock belongs to the open file description (fcntl(2)): unlike a POSIX lock it stays when another
 * descriptor of the file is closed, as each claim's is, and conflicts within the process. */
int claim_lock_take(const struct claims_file *file, const uint8_t *key)
{
  struct flock lock = lock_of(key, F_WRLCK);
  int claim = fd_open_kept(file->path, O_RDWR, 0, FD_CLAIM);
  if (claim < 0)
    return claim;
  struct claims_file opened;
  int fd = fd_opened_now(claim, &opened.device, &opened.inode), code = -ESTALE;
  if (opened.inode == file->inode && opened.device == file->device) {
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
      return claim;
    code = errno == EACCES ? -EAGAIN : -errno;
  }
  fd_end(claim);
  return code;
}

bool claim_lock_held(const struct claims_file *file, const uint8_t *key, int *claim)
{
  int fd = fd_number(*claim);
  if (fd == -EBADF) {
    fd_end(*claim);
    *claim = fd = claim_lock_take(file, key);
  }
  return fd >= 0;
}

/* With `key` the lock goes too, whoever has a copy of the descriptor. */
void claim_lock_release(int claim, const uint8_t *key)
{
  struct flock lock;
  if (key)
    lock = lock_of(key, F_UNLCK);
  fd_unlock_and_end(claim, key ? &lock : NULL);
}

int claim_lock_taken(int fd, const uint8_t *key)
{
  struct flock lock = lock_of(key, F_WRLCK);
  if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
    return -errno;
  return lock.l_type != F_UNLCK;
}
