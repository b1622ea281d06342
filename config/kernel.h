/* SPDX-License-Identifier: MIT */
/*
 * System calls without libc's names for them, which an old one lacks: glibc 2.33 gave fstat() and stat() new
 * ones, so that an older loader refuses a library that was built with it and uses them, and the headers of
 * 2.31 do not know pidfd_open() and close_range(). The kernel's struct stat is glibc's on the 64-bit machines
 * that are supported.
 *
 *     if (idem_fstat(fd, &status) < 0) ...  0, or -1 with errno set, as libc's; ENOSYS where the kernel is older
 */
#ifndef IDEMSHIM_KERNEL_H
#define IDEMSHIM_KERNEL_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif

static inline int idem_fstat(int fd, struct stat *status)
{
  return (int)syscall(SYS_fstat, fd, status);
}

static inline int idem_fstatat(int dir, const char *path, struct stat *status, int flags)
{
  return (int)syscall(SYS_newfstatat, dir, path, status, flags);
}

static inline int idem_pidfd_open(pid_t pid)
{
  return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int idem_close_range(unsigned first, unsigned last, unsigned flags)
{
  return (int)syscall(SYS_close_range, first, last, flags);
}

/* False: to write a file of so many bytes would raise SIGXFSZ in the app. */
static inline bool idem_file_may_have(uint64_t size)
{
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) < 0 || size <= limit.rlim_cur;
}

#endif
