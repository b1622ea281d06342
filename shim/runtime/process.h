/* SPDX-License-Identifier: MIT */
/*
 * process: whether calls of this process can be ours at this moment of its life.
 *
 *     if (!process_allows_calls())
 *       return real->easy_perform(handle);      // an exit handler, a destructor
 *     if (!process_is_the_owner())
 *       return real->easy_perform(handle);      // a child by vfork()
 *
 * When a program ends, the libraries that the store needs end before its last code: OpenSSL in an exit
 * handler of its own. A call from an exit handler that was registered before the store was opened, from a
 * destructor or after OPENSSL_cleanup() goes out as if we were not there. What is under way by then goes on
 * to its end.
 *
 * A child by vfork() or clone(CLONE_VM) has this memory and another process id. What it calls goes out as if
 * we were not there: claims, threads and descriptors are those of the process that the memory belongs to,
 * which is the first whose call comes here. A child by fork() is a process of its own. Asking costs a
 * getpid(), so it is asked before the store is opened and for what is no hit: a hit reads alone, and makes no
 * system call.
 *
 * Any thread may come here.
 */
#ifndef IDEMSHIM_SHIM_PROCESS_H
#define IDEMSHIM_SHIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

bool process_allows_calls(void);
bool process_is_the_owner(void);

/* A number of this process, for budgets where no run is named. */
uint64_t process_run(void);

/* For rescue/fork.c, in the child. */
void process_after_fork(void);

/* When the store or a tape is opened. `openssl_atexit` is that of the libcrypto that they use; NULL if it has
 * none. */
void process_watch_end(int (*openssl_atexit)(void (*handler)(void)));

#endif
