/* SPDX-License-Identifier: MIT */
/*
 * fork: what a fork of the process does to the shim, and the order of its locks in one place.
 *
 *     fork_register();                  // in the hooks that make the first handle
 *
 *     fork_lock_first();                // rescue/handoff.c, which copies the process past the handlers
 *     ... the store takes its own ...
 *     fork_lock_rest();
 *     pid_t pid = ...;
 *     if (pid == 0)
 *       fork_unlock_rest_in_copy();
 *     else
 *       fork_unlock_rest();
 *
 * A fork in one thread while another holds a lock leaves a child in which nobody ever unlocks it. So all
 * locks are taken before, in the order in which they are taken everywhere:
 *
 *     those of feeder.c and inflight.c, object_lock (store_object.c), the store's own if its object is loaded,
 *     bind_lock (libcurl.c), the pointer maps of shadow_table.c, form.c and multi.c
 *
 * One set of handlers takes all of them, and is registered before the first of them can be taken: a fork that
 * has begun when a handler is registered does not run it in its child. store_lock (store_object.c) is held
 * while the store takes its own, so it cannot be taken here; it begins anew in the child. A child has no call
 * under way.
 */
#ifndef IDEMSHIM_SHIM_FORK_H
#define IDEMSHIM_SHIM_FORK_H

/* Before any of these locks can be taken, and before the store is opened. Does nothing in a program that no
 * rule can match in, and nothing but once in others; any thread may come here. */
void fork_register(void);

/* For a copy of the process that is made without the handlers: the first locks, then the
 * store's, then the rest. */
void fork_lock_first(void);
void fork_unlock_last(void);
void fork_unlock_last_in_copy(void);
void fork_lock_rest(void);
void fork_unlock_rest(void);
void fork_unlock_rest_in_copy(void);

#endif
