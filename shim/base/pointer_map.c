/* SPDX-License-Identifier: MIT */
/*
 * Open addressing: an entry is in the first free slot from its key's own on, and no more than half of the
 * slots are taken. A removal moves what follows back, so that there are no graves to walk over. A slot has
 * the entry's address alone: few lookups meet another entry before theirs. An entry is found if it has the
 * key itself, whatever slot led to it. So who looks without the lock while something moves can miss an entry,
 * which find() then makes sure of, and does not find another.
 */
#include "shim/base/pointer_map.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BITS 6u

/* Entries are made in batches, each of as many as there are already, up to what malloc() gives a mapping of
 * its own. Those of an app with thousands of handles lie side by side then, where the processor comes upon
 * them sooner than between its handles. */
#define FIRST_BATCH   16u
#define LARGEST_BATCH 256u

static void *zeroed(size_t size)
{
  void *memory = aligned_alloc(POINTER_MAP_LINE, size);
  return memory ? memset(memory, 0, size) : NULL;
}

static void put(struct pointer_slots *slots, size_t at, struct pointer_entry *entry)
{
  atomic_store_explicit(&slots->at[at], entry, memory_order_release);
}

/* The slot of the key's entry, or the free one where it belongs. Under the lock. */
static size_t seek(const struct pointer_slots *slots, const void *key)
{
  size_t at = pointer_slots_home(slots, key);
  for (const struct pointer_entry *entry;
       (entry = pointer_slots_entry(slots, at)) && pointer_entry_key(entry) != key;)
    at = (at + 1) & slots->mask;
  return at;
}

/* A slot is read once: a removal may put another entry there right behind the look at its key. */
void *pointer_map_glance(const struct pointer_map *map, const void *key)
{
  const struct pointer_slots *slots = atomic_load_explicit(&map->slots, memory_order_acquire);
  struct pointer_entry *entry = NULL;
  if (!slots || !key)
    return NULL;
  for (size_t at = pointer_slots_home(slots, key);
       (entry = pointer_slots_entry(slots, at)) && pointer_entry_key(entry) != key;)
    at = (at + 1) & slots->mask;
  return entry;
}

void *pointer_map_find_locked(struct pointer_map *map, const void *key)
{
  if (!pointer_map_count(map))
    return NULL;
  pthread_mutex_lock(&map->lock);
  void *entry = pointer_map_glance(map, key);
  pthread_mutex_unlock(&map->lock);
  return entry;
}

/* Without memory the map goes on with the slots that it has, as long as one of them is free. */
static bool make_room(struct pointer_map *map)
{
  struct pointer_slots *old = atomic_load_explicit(&map->slots, memory_order_relaxed);
  unsigned bits = old ? 64 - old->shift + 1 : FIRST_BITS;
  struct pointer_slots *slots;
  if (old && 2 * (size_t)map->count <= old->mask)
    return true;
  slots = zeroed(sizeof(*slots) + (sizeof(slots->at[0]) << bits));
  if (!slots)
    return old && map->count < old->mask;
  slots->shift = 64 - bits;
  slots->mask = ((size_t)1 << bits) - 1;
  slots->older = old;
  for (size_t i = 0; old && i <= old->mask; i++) {
    struct pointer_entry *entry = pointer_slots_entry(old, i);
    if (entry)
      put(slots, seek(slots, pointer_entry_key(entry)), entry);
  }
  atomic_store_explicit(&map->slots, slots, memory_order_release);
  return true;
}

/* Closes the gap at `gap`: what has been pushed beyond its own slot moves back to it. */
static void close_gap(struct pointer_slots *slots, size_t gap)
{
  struct pointer_entry *entry;
  for (size_t at = (gap + 1) & slots->mask; (entry = pointer_slots_entry(slots, at));
       at = (at + 1) & slots->mask)
    if (((at - pointer_slots_home(slots, pointer_entry_key(entry))) & slots->mask) >=
        ((at - gap) & slots->mask)) {
      put(slots, gap, entry);
      gap = at;
    }
  put(slots, gap, NULL);
}

/* Under the lock. */
static void take_out(struct pointer_map *map, struct pointer_entry *entry)
{
  struct pointer_slots *slots = atomic_load_explicit(&map->slots, memory_order_relaxed);
  const void *key = pointer_entry_key(entry);
  if (!key)
    return;
  size_t gap = seek(slots, key);
  atomic_store_explicit(&entry->key, NULL, memory_order_release);
  close_gap(slots, gap);
  atomic_fetch_sub_explicit(&map->count, 1, memory_order_relaxed);
}

bool pointer_map_add(struct pointer_map *map, struct pointer_entry *entry, const void *key)
{
  pthread_mutex_lock(&map->lock);
  bool room = make_room(map);
  if (room) {
    struct pointer_entry *stale = pointer_map_glance(map, key);
    if (stale)
      take_out(map, stale);
    struct pointer_slots *slots = atomic_load_explicit(&map->slots, memory_order_relaxed);
    atomic_store_explicit(&entry->key, (void *)(uintptr_t)key, memory_order_release);
    put(slots, seek(slots, key), entry);
    atomic_fetch_add_explicit(&map->count, 1, memory_order_relaxed);
  }
  pthread_mutex_unlock(&map->lock);
  return room;
}

void pointer_map_remove(struct pointer_map *map, struct pointer_entry *entry)
{
  pthread_mutex_lock(&map->lock);
  take_out(map, entry);
  pthread_mutex_unlock(&map->lock);
}

/* Under the lock. */
static void make_entries(struct pointer_map *map)
{
  size_t batch = map->made < FIRST_BATCH     ? FIRST_BATCH
                 : map->made < LARGEST_BATCH ? map->made
                                             : LARGEST_BATCH;
  char *memory = zeroed(batch * map->entry_size);
  if (!memory)
    return;
  for (size_t i = batch; i-- > 0;) {
    struct pointer_entry *entry = (struct pointer_entry *)(void *)(memory + i * map->entry_size);
    entry->unused = map->unused;
    map->unused = entry;
  }
  map->made += batch;
}

void *pointer_map_take(struct pointer_map *map)
{
  pthread_mutex_lock(&map->lock);
  if (!map->unused)
    make_entries(map);
  struct pointer_entry *entry = map->unused;
  if (entry)
    map->unused = entry->unused;
  pthread_mutex_unlock(&map->lock);
  return entry;
}

void pointer_map_give(struct pointer_map *map, struct pointer_entry *entry)
{
  pthread_mutex_lock(&map->lock);
  take_out(map, entry);
  entry->unused = map->unused;
  map->unused = entry;
  pthread_mutex_unlock(&map->lock);
}

void pointer_map_lock(struct pointer_map *map)
{
  pthread_mutex_lock(&map->lock);
}

void pointer_map_unlock(struct pointer_map *map)
{
  pthread_mutex_unlock(&map->lock);
}
