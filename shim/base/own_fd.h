/* SPDX-License-Identifier: MIT */
/*
 * own_fd: a socket of ours that is kept, in a process whose app closes what it does not know and has files of
 * its own under the numbers afterwards.
 *
 *     struct own_fd end = OWN_FD_NONE;
 *     own_fd_take(&end, fd);
 *     if (own_fd_is_ours(&end))          // at every use
 *       send(end.fd, ...);
 *     own_fd_close(&end);
 *
 * The kernel gives each socket an inode of its own, so that none of ours is taken for another; what has no
 * inode of its own, as an eventfd, cannot be kept this way. The store's files have a table (store/base/fd.h).
 * It belongs to whoever has it, and has no lock.
 */
#ifndef IDEMSHIM_SHIM_OWN_FD_H
#define IDEMSHIM_SHIM_OWN_FD_H

#include "config/kernel.h"

#include <stdbool.h>

struct own_fd {
  int fd; /* -1: none */
  dev_t device;
  ino_t inode;
};

#define OWN_FD_NONE ((struct own_fd){.fd = -1})

static inline void own_fd_take(struct own_fd *own, int fd)
{
  struct stat status;
  *own = idem_fstat(fd, &status) == 0 ? (struct own_fd){fd, status.st_dev, status.st_ino} : OWN_FD_NONE;
}

static inline bool own_fd_is_ours(const struct own_fd *own)
{
  struct stat status;
  return own->fd >= 0 && idem_fstat(own->fd, &status) == 0 && status.st_ino == own->inode &&
         status.st_dev == own->device;
}

/* It is the app's to close if it is not ours any more. */
static inline void own_fd_close(struct own_fd *own)
{
  if (own_fd_is_ours(own))
    close(own->fd);
  own->fd = -1;
}

#endif
