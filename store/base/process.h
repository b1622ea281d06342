/* SPDX-License-Identifier: MIT */
/*
 * process: one page for life and death.
 *
 * An LMDB environment must not be used after fork(), and a child must not keep its parent's claims alive.
 * Both hang on process_generation(): it is the same for as long as this is the same process, and another one
 * in every child, even one made by a raw clone() that runs no fork handlers.
 *
 *     engine->life = process_generation();
 *     ...
 *     if (engine->life != process_generation())
 *       it is our parent's;
 *
 * Lock order: stores, opening, then the lists. fork() takes all of them, so that a child finds every list
 * whole; nothing that holds one of them calls the app.
 */
#ifndef IDEMSHIM_STORE_PROCESS_H
#define IDEMSHIM_STORE_PROCESS_H

#include "store/base/quiet.h"

#include <pthread.h>
#include <stdint.h>

/* Which process this is, counted from 1. Costs one load. */
uint32_t process_generation(void);

/* The pid of this generation, without a system call. */
int process_pid(void);

/* The namespace that this pid is of, as a number; 0: unknown. */
uint32_t process_pid_namespace(void);

/* Runs `start` once. Whoever comes second waits for it, a second at most. A child of a fork in the
 * middle of it begins anew. */
void process_once(_Atomic int *once, void (*start)(void));

/* Registers the fork handlers, once. 0 or -errno. */
int process_register_fork(void);

/* Before that: whoever has loaded this object has handlers of its own, which take its locks, too. */
void process_host_forks(void);

extern pthread_mutex_t process_lock_stores, /* the list of open stores (state/state.c) */
    process_lock_opening,                   /* which engine a store has, while it is opened anew */
    process_lock_lists;                     /* the lists of claims, readers and repeats */

static inline pthread_mutex_t *process_lock(pthread_mutex_t *mutex)
{
  pthread_mutex_lock(mutex);
  return mutex;
}

static inline void process_unlock(pthread_mutex_t *const *mutex)
{
  pthread_mutex_unlock(*mutex);
}

/* Holds one of them to the end of the block, however it is left: PROCESS_LOCKED(lists); */
#define PROCESS_LOCKED(name)                                                                                 \
  __attribute__((cleanup(process_unlock), unused)) pthread_mutex_t *const locked =                           \
      process_lock(&process_lock_##name)

/* What the fork handlers do before a fork and after it, for a copy that is made without them. */
void process_lock_all(void);
void process_unlock_all(void);
void process_unlock_in_child(void);

#endif
