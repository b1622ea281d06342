/* SPDX-License-Identifier: MIT */
/*
 * unmatched: calls of libcurl that no rule wants. They are none of our business, and go out at once; but
 * whoever has set us before a program of which nothing meets a rule is to hear of it, and where its calls
 * went.
 *
 *     unmatched_note(&target, https);      // a URL that is new to its handle
 *     unmatched_count();                   // each call
 *
 * The first few servers are kept for `idemshim doctor PID` (config/vitals.h). Where IDEMSHIM_SUMMARY is on,
 * there is an event for each, and a process that had such calls alone says so at its exit, in one line. Any
 * thread may come here; no memory is taken, and no lock.
 */
#ifndef IDEMSHIM_SHIM_UNMATCHED_H
#define IDEMSHIM_SHIM_UNMATCHED_H

#include "shim/runtime/report.h"
#include "shim/runtime/vitals.h"

void unmatched_note(const struct idem_target *target, bool https);

/* An addition, as in vitals_count_call(); and one in the store's page, if it is open. */
static inline void unmatched_count(void)
{
  uint64_t before = atomic_load_explicit(&vitals.unmatched, memory_order_relaxed);
  atomic_store_explicit(&vitals.unmatched, before + 1, memory_order_relaxed);
  report_count(IDEM_COUNTER_unmatched);
}

#endif
