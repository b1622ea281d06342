/* SPDX-License-Identifier: MIT */
#include "store/base/decisions.h"

#include <string.h>

/* The fence keeps what is written behind the 0: whoever has copied a part of it finds another number when it
 * looks again. Two that are DECISIONS apart may write one place at once and leave a mixture, which misleads a
 * person and does no more. */
void decisions_add(struct decisions *decisions, const struct idem_decision *decision)
{
  uint64_t number = atomic_fetch_add_explicit(&decisions->next, 1, memory_order_relaxed);
  __auto_type at = &decisions->at[number % DECISIONS];
  atomic_store_explicit(&at->number, 0, memory_order_relaxed);
  atomic_thread_fence(memory_order_release);
  at->decision = *decision;
  atomic_store_explicit(&at->number, number + 1, memory_order_release);
}

/* The page is writable by whoever may write the store: a text may have no end, and is given one. */
static void end_texts(struct idem_decision *decision)
{
  decision->id[sizeof(decision->id) - 1] = '\0';
  decision->event[sizeof(decision->event) - 1] = '\0';
  decision->method[sizeof(decision->method) - 1] = '\0';
  decision->origin[sizeof(decision->origin) - 1] = '\0';
  decision->path[sizeof(decision->path) - 1] = '\0';
  decision->reason[sizeof(decision->reason) - 1] = '\0';
}

int decisions_each(const struct decisions *decisions,
                   int (*visit)(void *arg, const struct idem_decision *decision), void *arg)
{
  uint64_t next = atomic_load_explicit(&decisions->next, memory_order_acquire);
  int result = 0;
  for (uint64_t back = 1; back <= DECISIONS && back <= next && result == 0; back++) {
    uint64_t number = next - back;
    __auto_type at = &decisions->at[number % DECISIONS];
    if (atomic_load_explicit(&at->number, memory_order_acquire) != number + 1)
      continue;
    struct idem_decision decision = at->decision;
    /* The copy is made before the number is looked at again. */
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&at->number, memory_order_relaxed) != number + 1)
      continue;
    end_texts(&decision);
    result = visit(arg, &decision);
  }
  return result;
}
