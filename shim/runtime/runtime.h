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
extern _Atomic(const struct idem_config *) settings_loaded;
const struct idem_config *settings_load(void);
static inline const struct idem_config *settings(void)
{
  const struct idem_config *config = atomic_load_explicit(&settings_loaded, memory_order_acquire);
  return config ? config : settings_load();
}

/* True if a rule could match at all; else nothing is remembered of any handle. */
enum runtime_activity { LIFE_UNKNOWN, LIFE_ACTIVE, LIFE_INACTIVE };
extern _Atomic int runtime_activity;
int runtime_find_activity(void);
/* Mode replay: what a rule wants never uses the network, whatever goes wrong. */
bool runtime_replays_tape(void);

static inline bool runtime_active(void)
{
  int activity = atomic_load_explicit(&runtime_activity, memory_order_relaxed);
  return (activity ? activity : runtime_find_activity()) == LIFE_ACTIVE;
}

/* The store's functions and the store, or NULL with the reason said: the call goes live. A store that could
 * not be opened is tried again after ten seconds. */
const struct idem_store_api *runtime_store(struct idem_store **store);

/* The table of functions that the store object has under this name, or NULL with the reason said. */
const void *runtime_object_api(const char *symbol, uint32_t version, uint32_t size);

/* The tape that is written, or NULL: there is none, or the reason has been said. */
struct tape_writer;
struct tape;
struct tape_matcher;
const struct idem_tape_api *runtime_tape_writer(struct tape_writer **writer);

/* The tape that is replayed, or NULL with the reason in `error`. */
const struct idem_tape_api *runtime_tape_reader(struct tape **tape, struct tape_matcher **matcher,
                                                struct idem_error *error);

/* One line for a person: "idemshim: TEXT" to IDEMSHIM_LOG, or else to stderr. */
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Counts in the store's page if there is one. */
void report_count(enum idem_counter counter);

/* What the fork handlers do, for a copy of the process that is made without them (handoff.c). The store's
 * locks are taken before. */
void fork_lock_all(void);
void fork_unlock_all(void);
void fork_unlock_in_copy(void);

/* What can go wrong inside us; each is said once in a process. */
enum problem_kind {
  PROBLEM_BAD_CONFIG,
  LIFE_NO_STORE_OBJECT,
  PROBLEM_STORE_NOT_OPENED,
  PROBLEM_STORE_FAILED,
  PROBLEM_ANSWER_NOT_STORED,
  PROBLEM_NO_MEMORY,
  PROBLEM_NO_LOG,
  PROBLEM_NO_STACK,
  PROBLEM_NO_DESCRIPTORS,
  PROBLEM_NO_TURNS,
  PROBLEM_NO_TAPE,
};

/* The single way to fail: says why in one line (once for each kind), and counts. The caller then goes live.
 */
void fail_open(enum problem_kind problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
