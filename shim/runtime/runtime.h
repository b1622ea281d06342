/* SPDX-License-Identifier: MIT */
/*
 * Life and death: everything that happens once in a process, what a fork does to it, and the one way to fail.
 *
 * The constructor does nothing. The configuration is read at the first handle, the store object is opened at
 * the first call that a rule matches. Lock order: gates (driver_lock.h), bind_lock (libcurl.c), table_lock
 * (shadow_table.c), the locks of form_table.c, multi.c, feeder.c and inflight.c, store_lock (runtime.c), then
 * the store's own.
 */
#ifndef IDEMSHIM_SHIM_LIFE_H
#define IDEMSHIM_SHIM_LIFE_H

#include "config/config.h"
#include "store/store.h"

#include <stdatomic.h>

/* Read once; never NULL. A mistake in it is said once, and mode is then off. */
extern _Atomic(const struct idem_config *) life_loaded;
const struct idem_config *life_load(void);
static inline const struct idem_config *life_config(void)
{
  const struct idem_config *config = atomic_load_explicit(&life_loaded, memory_order_acquire);
  return config ? config : life_load();
}

/* True if a rule could match at all; else nothing is remembered of any handle. */
enum life_activity { LIFE_UNKNOWN, LIFE_ACTIVE, LIFE_INACTIVE };
extern _Atomic int life_activity;
int life_find_activity(void);
/* Mode replay: what a rule wants never uses the network, whatever goes wrong. */
bool life_replays(void);

static inline bool life_active(void)
{
  int activity = atomic_load_explicit(&life_activity, memory_order_relaxed);
  return (activity ? activity : life_find_activity()) == LIFE_ACTIVE;
}

/* The store's functions and the store, or NULL with the reason said: the call goes live. A store that could
 * not be opened is tried again after ten seconds. */
const struct idem_store_api *life_store(struct idem_store **store);

/* The table of functions that the store object has under this name, or NULL with the reason said. */
const void *life_api(const char *symbol, uint32_t version, uint32_t size);

/* The tape that is written, or NULL: there is none, or the reason has been said. */
struct tape_writer;
struct tape;
struct tape_matcher;
const struct idem_tape_api *life_tape_writer(struct tape_writer **writer);

/* The tape that is replayed, or NULL with the reason in `error`. */
const struct idem_tape_api *life_tape_reader(struct tape **tape, struct tape_matcher **matcher,
                                             struct idem_error *error);

/* One line for a person: "idemshim: TEXT" to IDEMSHIM_LOG, or else to stderr. */
void life_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Counts in the store's page if there is one. */
void life_count(enum idem_counter counter);

/* What the fork handlers do, for a copy of the process that is made without them (handoff.c). The store's
 * locks are taken before. */
void life_hold(void);
void life_release(void);
void life_release_in_copy(void);

/* What can go wrong inside us; each is said once in a process. */
enum life_problem {
  LIFE_BAD_CONFIG,
  LIFE_NO_STORE_OBJECT,
  LIFE_STORE_NOT_OPENED,
  LIFE_STORE_FAILED,
  LIFE_ANSWER_NOT_STORED,
  LIFE_NO_MEMORY,
  LIFE_NO_LOG,
  LIFE_NO_STACK,
  LIFE_NO_DESCRIPTORS,
  LIFE_NO_TURNS,
  LIFE_NO_TAPE,
};

/* The single way to fail: says why in one line (once for each kind), and counts. The caller then goes live.
 */
void life_fail_open(enum life_problem problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
