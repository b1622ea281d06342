/* SPDX-License-Identifier: MIT */
/*
 * fd: descriptors in a process that is not ours. An app that has closed its standard input, output or error
 * would read or write what the next open() gives us.
 */
#ifndef IDEMSHIM_STORE_FD_H
#define IDEMSHIM_STORE_FD_H

/* open() with O_CLOEXEC and O_NOFOLLOW, never 0, 1 or 2. A descriptor or -errno. */
int fd_open(const char *path, int flags, unsigned mode);

/* Fills the standard descriptors that are closed with /dev/null, for a library that opens files itself; then
 * frees them. */
struct fd_parked {
  int fd[3];
};
struct fd_parked fd_park(void);
void fd_unpark(const struct fd_parked *parked);

#endif
