/* SPDX-License-Identifier: MIT */
/*
 * share: the app's share objects. All that is known of them is whether any has ever had a lock, for a copy of
 * the process could wait for ever for one that another thread held. Any thread may call both.
 */
#ifndef IDEMSHIM_SHIM_SHARE_H
#define IDEMSHIM_SHIM_SHARE_H

#include <stdbool.h>

/* An app has given a share object a lock function. */
void share_note_locks(void);

bool share_has_locks(void);

#endif
