/* SPDX-License-Identifier: MIT */
/*
 * fd: descriptors in a process that is not ours. An app that has closed its standard input, output or error
 * would read or write what the next open() gives us.
 *
 *     int fd = fd_open(path, O_RDWR, 0);                 // ours
 *
 *     struct fd_parked parked = fd_park();               // a library's
 *     rc = mdb_env_open(env, dir, flags, 0600);
 *     fd_unpark(&parked);
 *
 * Whoever keeps a descriptor must be ready for an app that closes all it does not know, and opens something
 * else under the number: look at the inode before writing to it or closing it.
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
