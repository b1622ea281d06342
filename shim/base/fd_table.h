/* SPDX-License-Identifier: MIT */
/* Every open descriptor of this process, without allocating: another thread may have held that lock when the
 * process was copied. */
#ifndef IDEMSHIM_SHIM_DESCRIPTORS_H
#define IDEMSHIM_SHIM_DESCRIPTORS_H

#include <stdbool.h>

void fd_each(void (*visit)(void *arg, int fd), void *arg);

/* A call of ours that is under way has a descriptor more than libcurl's. False where a third of those that
 * the process may have is in use: the rest is for the app, whose transfers would fail without. */
bool fd_headroom(void);

#endif
