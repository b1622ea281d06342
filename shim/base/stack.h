/* SPDX-License-Identifier: MIT */
/* Threads with small stacks: libcurl is content with 16 KB, and we are not. */
#ifndef IDEMSHIM_SHIM_STACK_H
#define IDEMSHIM_SHIM_STACK_H

#include <stdbool.h>

/* True if the calling thread has room for a call of ours. On a stack that is not the thread's own, as a
 * coroutine's, nobody can know: true. */
bool stack_suffices(void);

#endif
