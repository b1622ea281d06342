/* SPDX-License-Identifier: MIT */
/* One transfer of a multi in a copy of the process: it is driven to its end, and nothing is heard of the
 * others. */
#ifndef IDEMSHIM_SHIM_ALONE_H
#define IDEMSHIM_SHIM_ALONE_H

#include "shim/handle/multi.h"

struct rescue;

/* At once, also inside a callback. */
void copy_mute_others(const struct multi *multi, const struct shadow *shadow);

/* Outside of callbacks: takes the others out and comes back when the transfer is done. */
CURLcode copy_drive(const struct multi *multi, const struct shadow *shadow);

/* The same for the copy's call, in the app's multi or in libcurl's own; its answer is committed and the copy
 * ends. Whose thread this was does not matter. */
void copy_finish(struct rescue *rescue);

#endif
