/* SPDX-License-Identifier: MIT */
/*
 * The exit of the process while calls are upstream: exit(), a return from main() or quick_exit() in one
 * thread, while this or another thread has sent a request and has no finished answer.
 *
 * What comes after is not known: the program may join its threads in a handler that runs after ours, and
 * their transfers then end as if we were not there. So the connection is not parted. Each call gets a guard
 * (guard.h), whatever its rule's guard= says, which goes on only if the process dies and nobody has touched
 * the connection. What the exiting thread itself has in multis is given up, for nobody turns them any more.
 */
#ifndef IDEMSHIM_SHIM_AT_EXIT_H
#define IDEMSHIM_SHIM_AT_EXIT_H

#include <stdbool.h>

/* At the first call that may be rescued: later than libcurl and its TLS library have registered their
 * handlers, so that ours runs before theirs. */
void at_exit_register(void);

/* True in a thread whose call needs a guard now: another one runs the exit handlers. */
bool at_exit_has_begun(void);

/* For pthread_atfork() alone: in the child. */
void at_exit_begin_anew(void);

#endif
