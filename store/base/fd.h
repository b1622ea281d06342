/* SPDX-License-Identifier: MIT */
/*
 * fd: descriptors in a process that is not ours. An app that has closed its standard input, output or error
 * would read or write what the next open() gives us; and an app that closes all it does not know, as a daemon
 * does, has files of its own under our numbers from then on.
 *
 *     int fd = fd_open(path, O_RDWR, 0);                 // ours, for a moment
 *
 *     int kept = fd_open_kept(path, O_RDWR, 0, FD_CLAIM);  // for longer: its place in the table
 *     ...
 *     int fd = fd_number(kept);                          // at every use
 *     if (fd >= 0)
 *       ...
 *     fd_end(kept);
 *
 *     struct fd_parked parked = fd_park();               // a library's
 *     rc = mdb_env_open(env, dir, flags, 0600);
 *     fd_unpark(&parked);
 *
 * The table has what is kept: its number, what it is, and the file that it was. Two claims are one file, so
 * what open() gives anew under a number ends what the table had there. The table is under process_lock_lists,
 * which these functions take themselves unless they say otherwise; nothing in it is the app's to see.
 */
#ifndef IDEMSHIM_STORE_FD_H
#define IDEMSHIM_STORE_FD_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>

/* open() with O_CLOEXEC and O_NOFOLLOW, never 0, 1 or 2. With O_CREAT the mode is the file's, whatever the
 * umask says. A descriptor or -errno. */
int fd_open(const char *path, int flags, unsigned mode);

/* Reads all of it, or as much as there is: how much, or -errno. A read that a signal or a network's file
 * system has cut short goes on. */
ssize_t fd_read_at(int fd, void *out, size_t len, uint64_t offset);

/* What the table has: a claim, the file that is asked about claims, one of LMDB's, a spool that
 * is read, a spill file. */
enum fd_what { FD_CLAIM = 1, FD_CLAIMS, FD_LMDB, FD_SPOOL, FD_SPILL };

/* Its place in the table, above 0, or -errno. To adopt is to take in one that a library has opened. */
int fd_open_kept(const char *path, int flags, unsigned mode, enum fd_what what);
int fd_adopt(int fd, enum fd_what what);

/* The number, for the cost of an fstat(); -EBADF if the app has closed it, or has another file under it;
 * -ENOENT if it was ended, as a parent's claims are in a child. */
int fd_number(int kept);

/* The same of one that was opened in this moment, and which file it is: what was found
 * out then costs nothing. */
int fd_opened_now(int kept, dev_t *device, ino_t *inode);

/* Ends it; it is closed only if it is still ours. What is no place is ignored. To forget it leaves it open.
 * With a lock to be freed that goes first, for it stays with whoever else has a copy. */
void fd_end(int kept);
void fd_unlock_and_end(int kept, struct flock *unlock);
void fd_forget(int kept);

/* With process_lock_lists held: ends all that are the same thing but the two. */
void fd_end_others(enum fd_what what, int kept, int other);

/* Fills the standard descriptors that are closed with /dev/null, for a library that opens files itself; then
 * frees them. */
struct fd_parked {
  int fd[3];
};
struct fd_parked fd_park(void);
void fd_unpark(const struct fd_parked *parked);

#endif
