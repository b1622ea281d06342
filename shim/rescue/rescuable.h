/* SPDX-License-Identifier: MIT */
/* Which calls can be carried on by a copy of the process. */
#ifndef IDEMSHIM_SHIM_RESCUABLE_H
#define IDEMSHIM_SHIM_RESCUABLE_H

#include "shim/rescue/rescue.h"

/* NULL, or why not; for the log. */
const char *rescuable_reason(const struct rescue *rescue);

/* True if all of the request has gone out. */
bool rescuable_is_sent_whole(const struct request *request);

#endif
