/* SPDX-License-Identifier: MIT */
#include "shim/handle/share.h"

#include <stdatomic.h>

static _Atomic bool any_locks;

void share_note_locks(void)
{
  atomic_store_explicit(&any_locks, true, memory_order_relaxed);
}

bool share_has_locks(void)
{
  return atomic_load_explicit(&any_locks, memory_order_relaxed);
}
