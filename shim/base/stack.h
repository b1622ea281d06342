/* SPDX-License-Identifier: MIT */
/*
 * stack: whether a thread's stack is large enough for us. libcurl is content with 16 KB, and apps give their
 * threads as little; opening the store and reading JSON takes more.
 *
 *     if (!stack_suffices())
 *       return real->easy_perform(handle);
 *
 * A thread asks for its bounds once. On a stack that is not the thread's own, as a coroutine's, the pages
 * below are tried, with a system call for each, at the first call at a place: most have one at their end that
 * cannot be read. Some hundred places are remembered, and one that is used for a shorter stack later is not
 * tried again. Nobody can know the end of a stack that has no such page: the answer is then true.
 */
#ifndef IDEMSHIM_SHIM_STACK_H
#define IDEMSHIM_SHIM_STACK_H

#include <stdbool.h>

/* True if the calling thread has room for a call of ours. */
bool stack_suffices(void);

#endif
