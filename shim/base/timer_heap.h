/* SPDX-License-Identifier: MIT */
/*
 * timer_heap: what is due next among many, without looking at the others.
 *
 *     struct timer_heap heap = {0};
 *     timer_set(&heap, &call->timer, at_us);            // also moves one that is set
 *     for (struct timer *timer; (timer = timer_heap_due(&heap, now_us));)
 *       ...timer_set(&heap, timer, later_us) or timer_unset(&heap, timer)...
 *
 * A timer is a member of what it is for, and all zero while it is not set. Nothing allocates, nothing fails.
 * The caller sees to it that one thread at a time works on a heap.
 *
 * It is a pairing heap: setting costs a comparison, unsetting the logarithm of the number, amortized.
 */
#ifndef IDEMSHIM_SHIM_TIMER_HEAP_H
#define IDEMSHIM_SHIM_TIMER_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct timer {
  int64_t at_us;
  struct timer *child;  /* the first of those that are due no sooner */
  struct timer *next;   /* the parent's next child */
  struct timer **place; /* what points here; NULL: not set */
};

struct timer_heap {
  struct timer *first;
};

void timer_set(struct timer_heap *heap, struct timer *timer, int64_t at_us);

/* One that is not set is fine. */
void timer_unset(struct timer_heap *heap, struct timer *timer);

/* One that is due, which stays set, or NULL. */
static inline struct timer *timer_heap_due(const struct timer_heap *heap, int64_t now_us)
{
  return heap->first && heap->first->at_us <= now_us ? heap->first : NULL;
}

#endif
