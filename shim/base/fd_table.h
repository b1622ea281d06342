/* SPDX-License-Identifier: MIT */
/*
 * fd_table: the open descriptors of this process, without allocating: in a copy of the process another thread
 * may have held malloc's lock for ever.
 *
 *     fd_each(visit, &search);       // visit(&search, 0), visit(&search, 1), visit(&search, 2), ...
 *
 * They are read from /proc/self/fd, or tried one by one where that is not mounted. What other threads open or
 * close meanwhile may be missed.
 */
#ifndef IDEMSHIM_SHIM_FD_TABLE_H
#define IDEMSHIM_SHIM_FD_TABLE_H

#include <stdbool.h>

void fd_each(void (*visit)(void *arg, int fd), void *arg);

/* How many libcurl is to find free for a call. */
enum { FD_LIBCURL_NEEDS = 16 };

/* True if at least `count` descriptors seem to be free. The lowest free number tells, as long as they are not
 * scattered. */
bool fd_are_free(unsigned count);

/* True if a call of a multi may have a descriptor beside libcurl's, when `ours` have one: a quarter of those
 * that this process may have are for us, and a quarter are to be free. The sockets of calls that have been
 * added come later, so that what is in use now does not tell by itself. */
bool fd_multi_may_have_one(unsigned ours);

#endif
