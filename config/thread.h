/* SPDX-License-Identifier: MIT */
/*
 * thread: one of our own, in a program that knows nothing of it.
 *
 *     idem_thread_prepare(dlsym);                  once, where the loader's lock may be taken
 *     ...
 *     running = idem_thread_start(run);            nobody waits for its end
 *
 * No signal of the app's is taken by it. libc takes the static variables of a thread (`__thread`), the app's
 * and its libraries', from the thread's stack, and tells nobody but the C++ and Rust runtimes how large they
 * are: with few enough to spare the thread is not made, or dies. So it has its stack beside them.
 */
#ifndef IDEMSHIM_CONFIG_THREAD_H
#define IDEMSHIM_CONFIG_THREAD_H

#include <stdbool.h>

/* Finds out how large they are, with libc's own dlsym(); later calls cost nothing. */
void idem_thread_prepare(void *(*find)(void *handle, const char *name));

/* False where none can be made. */
bool idem_thread_start(void *(*run)(void *));

#endif
