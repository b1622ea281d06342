/* SPDX-License-Identifier: MIT */
/*
 * fork: one page for life and death.
 *
 * An LMDB environment must not be used after fork(), and a child must not keep its parent's claims alive.
 * Both hang on life_number(): it is the same for as long as this is the same process, and another one in
 * every child, even one made by a raw clone() that runs no fork handlers.
 *
 * Lock order: stores, then store->lock, then the lists (claims, readers, repeats). fork() takes all of them,
 * so that a child finds every list whole.
 */
#ifndef IDEMSHIM_STORE_FORK_H
#define IDEMSHIM_STORE_FORK_H

#include <pthread.h>
#include <stdint.h>

/* Which process this is, counted from 1. Costs one load. */
uint32_t process_generation(void);

/* The pid of this life; no system call. */
int process_pid(void);

/* Registers the fork handlers, once. 0 or -errno. */
int process_register_fork(void);

/* What fork holds: in this order before, in the other order after. */
extern pthread_mutex_t process_lock_stores, process_lock_opening, process_lock_lists;

/* What the fork handlers do before a fork and after it, on both sides, for a copy that is made without them.
 */
void process_lock_all(void);
void process_unlock_all(void);

/* For the time of something that must neither be cancelled half way nor be seen in errno:
 *     struct life_quiet quiet = life_hush();  ...  life_resume(&quiet); */
struct quiet {
  int error, cancel;
};
struct quiet quiet_begin(void);
void quiet_end(const struct quiet *quiet);

#endif
