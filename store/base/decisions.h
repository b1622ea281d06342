/* SPDX-License-Identifier: MIT */
/*
 * decisions: what became of the last few hundred calls that were not simply answered from the store: why each
 * was sent, and why its answer was not kept. They are a ring in the shared page (stats.h), for `explain` and
 * `stats`, and may be lost as all of it.
 *
 *     decisions_add(&stats->decisions, &decision);
 *     decisions_each(&stats->decisions, visit, arg);      // copies, the newest first
 *
 * Any process writes, without a lock: a place is taken by a number, and says itself when it is whole. Who
 * reads one that is written at that moment leaves it out.
 */
#ifndef IDEMSHIM_STORE_DECISIONS_H
#define IDEMSHIM_STORE_DECISIONS_H

#include "store/store.h"

#include <stdatomic.h>

enum { DECISIONS = 512 };

struct decisions {
  _Atomic uint64_t next;
  struct {
    _Atomic uint64_t number; /* one more than its place in the order; 0: it is being written */
    struct idem_decision decision;
  } at[DECISIONS];
};

void decisions_add(struct decisions *decisions, const struct idem_decision *decision);
int decisions_each(const struct decisions *decisions,
                   int (*visit)(void *arg, const struct idem_decision *decision), void *arg);

#endif
