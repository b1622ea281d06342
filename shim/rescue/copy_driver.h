/* SPDX-License-Identifier: MIT */
/*
 * copy_driver: one transfer of a multi in a copy of the process, driven to its end without the others.
 *
 *     copy_mute_others(multi, shadow);          // at once, also inside a callback
 *     ...libcurl is left...
 *     copy_finish(rescue);
 *
 * The copy has the app's whole multi in memory, with transfers whose connections are dead here. They must
 * call nobody, and are taken out before the one is driven. There is one thread, and a timer that ends the
 * copy if a turn takes too long.
 */
#ifndef IDEMSHIM_SHIM_COPY_DRIVER_H
#define IDEMSHIM_SHIM_COPY_DRIVER_H

#include "shim/handle/multi.h"

struct rescue;

/* Callbacks of the multi and of its other transfers are called no more. */
void copy_mute_others(const struct multi *multi, const struct shadow *shadow);

/* Outside of callbacks: takes the others out and drives the copy's call to its end, in the app's multi or in
 * libcurl's own; its answer is committed and the copy ends. Whose thread this was does not matter. */
void copy_finish(struct rescue *rescue);

#endif
