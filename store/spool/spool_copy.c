/* SPDX-License-Identifier: MIT */
/*
 * A spool whose owner is on another machine: what comes of it is added here by whoever listens to the fleet,
 * in the owner's own bytes, and is read as any other. A listener that dies in the middle of a piece leaves
 * half of one, which the next cuts off.
 */
#include "config/kernel.h"
#include "store/base/fd.h"
#include "store/spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

size_t spool_piece_size(const struct idem_store *store, const struct spool_head *head)
{
  return sizeof(*head) + head->headers_len + head->facts_len + head->data_len +
         (store->sealed ? SEAL_TAG_SIZE : 0);
}

int64_t spool_copy_count(const struct idem_store *store, const uint8_t *key, uint64_t generation)
{
  char path[PATH_MAX];
  struct spool_head head;
  struct stat stat;
  int64_t count = 0;
  off_t at = 0;
  int fd = spool_path(store, key, generation, path) ? fd_open(path, O_RDWR, 0) : -ENAMETOOLONG;
  if (fd < 0)
    return fd == -ENOENT ? 0 : fd;
  if (idem_fstat(fd, &stat) < 0)
    stat.st_size = 0;
  ssize_t got;
  for (; (got = fd_read_at(fd, &head, sizeof(head), (uint64_t)at)) == (ssize_t)sizeof(head); count++) {
    off_t size = (off_t)spool_piece_size(store, &head);
    if (head.magic != SPOOL_MAGIC || size > stat.st_size - at)
      break;
    at += size;
  }
  /* What cannot be read is not what a torn write has left. */
  int rc = got < 0 ? (int)got : at < stat.st_size && ftruncate(fd, at) < 0 ? -errno : 0;
  close(fd);
  return rc < 0 ? rc : count;
}

int spool_copy_add(const struct idem_store *store, const uint8_t *key, uint64_t generation, const char *bytes,
                   size_t len)
{
  char path[PATH_MAX], dir[PATH_MAX];
  if (!spool_path(store, key, generation, path) || !spool_dir(store, dir))
    return -ENAMETOOLONG;
  mkdir(dir, 0700);
  int fd = fd_open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
  int rc = fd < 0 ? fd : spool_append(fd, bytes, len);
  if (fd >= 0)
    close(fd);
  return rc;
}
