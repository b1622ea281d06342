/* SPDX-License-Identifier: MIT */
/* The app's share objects: only whether any of them has locks, which a copy of the process could wait for for
 * ever. */
#ifndef IDEMSHIM_SHIM_SHARE_H
#define IDEMSHIM_SHIM_SHARE_H

#include <stdbool.h>

bool share_has_locks(void);

#endif
