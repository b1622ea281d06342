/* SPDX-License-Identifier: MIT */
/*
 * mappings: what of the app's a copy of the process must not have mapped.
 *
 *     if (!mappings_let_go())
 *       process_copy_leave(1);       // no copy, rather than one that somebody could notice
 *
 * System V shared memory counts who is attached: PostgreSQL does not start again after a crash while somebody
 * is. The rings of io_uring, and what drivers map of a device (a GPU's memory), live for as long as the last
 * process has them mapped. All other memory is the app's own, or lives as a file does.
 *
 * Nothing is allocated and no lock is taken. What is let go here stays with the process that was copied.
 */
#ifndef IDEMSHIM_SHIM_MAPPINGS_H
#define IDEMSHIM_SHIM_MAPPINGS_H

#include <stdbool.h>

/* In the copy. False if something could not be let go, or if /proc does not tell what there is. */
bool mappings_let_go(void);

#endif
