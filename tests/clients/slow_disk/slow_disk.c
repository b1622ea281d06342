/* SPDX-License-Identifier: MIT */
/*
 * A disk that takes SLOW_DISK_US longer for each flush: fdatasync, fsync, msync, and a write through a
 * descriptor that was opened with O_DSYNC. To be preloaded. With SLOW_DISK_COUNT=FILE each flush adds a byte
 * to that file, so that whoever looks can count.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void flush(void)
{
  const char *us = getenv("SLOW_DISK_US"), *path = getenv("SLOW_DISK_COUNT");
  long long ns = us ? atoll(us) * 1000 : 0;
  int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
  if (fd >= 0 && write(fd, "", 1) == 1)
    close(fd);
  nanosleep(&(struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}, NULL);
}

#define EXPORT     __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

EXPORT int fdatasync(int fd)
{
  flush();
  return REAL(fdatasync)(fd);
}

EXPORT int fsync(int fd)
{
  flush();
  return REAL(fsync)(fd);
}

EXPORT int msync(void *address, size_t len, int flags)
{
  if (flags & MS_SYNC)
    flush();
  return REAL(msync)(address, len, flags);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
  if (fcntl(fd, F_GETFL) & O_DSYNC)
    flush();
  return REAL(pwrite)(fd, data, len, at);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
  if (fcntl(fd, F_GETFL) & O_DSYNC)
    flush();
  return REAL(pwrite64)(fd, data, len, at);
}
