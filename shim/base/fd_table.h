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

/* True if there is room for a call of ours, which has a descriptor more than libcurl's. False where a
 * third of those that the process may have is in use: the rest is for the app, whose transfers would fail
 * without. */
bool fd_headroom(void);

#endif
