/* SPDX-License-Identifier: MIT */
#include "store/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A number that is taken for standard output could be written to by anything in the app. */
int fd_open(const char *path, int flags, unsigned mode)
{
  int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0)
    return -errno;
  if (fd > STDERR_FILENO)
    return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int rc = higher < 0 ? -errno : higher;
  close(fd);
  return rc;
}

/* open() gives the lowest number that is free, so this ends at the first above 2. */
struct fd_parked fd_park(void)
{
  struct fd_parked parked = {{-1, -1, -1}};
  for (int i = 0; i < 3; i++) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0)
      break;
    if (fd > STDERR_FILENO) {
      close(fd);
      break;
    }
    parked.fd[i] = fd;
  }
  return parked;
}

void fd_unpark(const struct fd_parked *parked)
{
  for (int i = 0; i < 3; i++)
    if (parked->fd[i] >= 0)
      close(parked->fd[i]);
}
