/* SPDX-License-Identifier: MIT */
#include "store/base/kept.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct {
  _Atomic bool taken;   /* all the rest is of who has taken it */
  char *_Atomic place;  /* set once */
  char name[KEPT_NAME]; /* what was asked for last, */
  size_t name_len, len; /* and how much of the place it has; 0: it is not there */
  unsigned repeats;
  bool read_only; /* it is there */
} kept;

static void let_go(void)
{
  atomic_store_explicit(&kept.taken, false, memory_order_release);
}

/* False: the place is stuck with what it has. */
static bool rename_to(const void *name, size_t name_len)
{
  char *place = atomic_load_explicit(&kept.place, memory_order_relaxed);
  if (kept.read_only && mprotect(place, KEPT_MOST, PROT_READ | PROT_WRITE) != 0)
    return false;
  if (kept.len > KEPT_WARM)
    madvise(place + KEPT_WARM, KEPT_MOST - KEPT_WARM, MADV_DONTNEED);
  memcpy(kept.name, name, name_len);
  kept.name_len = name_len;
  kept.len = kept.repeats = 0;
  kept.read_only = false;
  return true;
}

static char *place_of(size_t len)
{
  char *place = atomic_load_explicit(&kept.place, memory_order_relaxed);
  if (len > KEPT_WARM && kept.repeats < KEPT_REPEATS)
    return NULL;
  if (!place) {
    place = mmap(NULL, KEPT_MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    place = place == MAP_FAILED ? NULL : place;
    atomic_store_explicit(&kept.place, place, memory_order_relaxed);
  }
  kept.len = place ? len : 0;
  return place;
}

char *kept_take(const void *name, size_t name_len, size_t len, bool *has)
{
  *has = false;
  if (len > KEPT_MOST || atomic_exchange_explicit(&kept.taken, true, memory_order_acquire))
    return malloc(len);
  bool same = kept.name_len == name_len && memcmp(kept.name, name, name_len) == 0;
  kept.repeats += same && kept.repeats < KEPT_REPEATS;
  *has = same && kept.read_only;
  char *place = *has                                ? atomic_load_explicit(&kept.place, memory_order_relaxed)
                : same || rename_to(name, name_len) ? place_of(len)
                                                    : NULL;
  if (place)
    return place;
  let_go();
  return malloc(len);
}

bool kept_filled(const char *place)
{
  char *mine = atomic_load_explicit(&kept.place, memory_order_relaxed);
  if (place != mine || kept.repeats < KEPT_REPEATS)
    return false;
  kept.read_only = mprotect(mine, KEPT_MOST, PROT_READ) == 0;
  return kept.read_only;
}

void kept_give(void *place)
{
  if (place && place == atomic_load_explicit(&kept.place, memory_order_relaxed))
    let_go();
  else
    free(place);
}
