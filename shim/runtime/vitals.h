/* SPDX-License-Identifier: MIT */
/*
 * vitals: what this process shows to `idemshim doctor PID` (config/vitals.h). Any thread may come here.
 *
 *     vitals_count_call();                 // a rule wants this call
 *     vitals_note_store(dir, store);    // it was opened, or could not be
 */
#ifndef IDEMSHIM_SHIM_VITALS_H
#define IDEMSHIM_SHIM_VITALS_H

#include "config/vitals.h"

extern struct idem_vitals vitals;
extern __thread char vitals_thread;

/* An addition and no lock, for hits come here: of threads that share a shard and count at the same
 * moment, one may be lost. */
static inline void vitals_count_call(void)
{
  uint64_t thread = (uint64_t)(uintptr_t)&vitals_thread >> 12;
  _Atomic uint64_t *matched = &vitals.shard[(thread * 0x9e3779b97f4a7c15u) >> 61].matched;
  atomic_store_explicit(matched, atomic_load_explicit(matched, memory_order_relaxed) + 1,
                        memory_order_relaxed);
}

uint64_t vitals_matched(void);

/* In a child, whose numbers are its own. */
void vitals_after_fork(void);
void vitals_note_store(const char *dir, bool is_open);
/* The first one is kept of either. */
void vitals_note_passed(const char *reason);
void vitals_note_problem(const char *text);

#endif
