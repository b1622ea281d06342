/* SPDX-License-Identifier: MIT */
/*
 * Open addressing: a key is in the first free slot from its own on, and no more than half of the slots are
 * taken. A removal moves what follows back, so that there are no graves to walk over. Who looks without the
 * lock while something moves can miss it, which find() then makes sure of, or meet a slot with the key of one
 * entry and the address of another: so an entry counts only if it has the key itself.
 */
#include "shim/base/pointer_map.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BITS 6u
#define BATCH      16u

static void *zeroed(size_t size)
{
  void *memory = aligned_alloc(POINTER_MAP_LINE, size);
  return memory ? memset(memory, 0, size) : NULL;
}

static void put(struct pointer_slot *slot, const void *key, struct pointer_entry *entry)
{
  atomic_store_explicit(&slot->entry, entry, memory_order_relaxed);
  atomic_store_explicit(&slot->key, key, memory_order_release);
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
  slots = zeroed(sizeof(*slots) + (sizeof(struct pointer_slot) << bits));
  if (!slots)
    return old && map->count < old->mask;
  slots->shift = 64 - bits;
  slots->mask = ((size_t)1 << bits) - 1;
  slots->older = old;
  for (size_t i = 0; old && i <= old->mask; i++) {
    const void *key = pointer_slots_key(old, i);
    if (key)
      put(&slots->at[pointer_slots_seek(slots, key)], key, pointer_slots_entry(old, i));
  }
  atomic_store_explicit(&map->slots, slots, memory_order_release);
  return true;
}

/* Closes the gap at `gap`: what has been pushed beyond its own slot moves back to it. */
static void close_gap(struct pointer_slots *slots, size_t gap)
{
  const void *key;
  for (size_t at = (gap + 1) & slots->mask; (key = pointer_slots_key(slots, at)); at = (at + 1) & slots->mask)
    if (((at - pointer_slots_home(slots, key)) & slots->mask) >= ((at - gap) & slots->mask)) {
      put(&slots->at[gap], key, pointer_slots_entry(slots, at));
      gap = at;
    }
  put(&slots->at[gap], NULL, NULL);
}

/* Under the lock. */
static void take_out(struct pointer_map *map, struct pointer_entry *entry)
{
  struct pointer_slots *slots = atomic_load_explicit(&map->slots, memory_order_relaxed);
  const void *key = atomic_load_explicit(&entry->key, memory_order_relaxed);
  if (!key)
    return;
  atomic_store_explicit(&entry->key, NULL, memory_order_release);
  close_gap(slots, pointer_slots_seek(slots, key));
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
    put(&slots->at[pointer_slots_seek(slots, key)], key, entry);
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

void *pointer_map_take(struct pointer_map *map)
{
  pthread_mutex_lock(&map->lock);
  if (!map->unused) {
    char *batch = zeroed(BATCH * map->entry_size);
    for (unsigned i = BATCH; batch && i-- > 0;) {
      struct pointer_entry *entry = (struct pointer_entry *)(void *)(batch + i * map->entry_size);
      entry->unused = map->unused;
      map->unused = entry;
    }
  }
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
