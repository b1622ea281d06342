/* SPDX-License-Identifier: MIT */
/*
 * pointer_map: from libcurl's objects (easy handles, multis, forms) to what we know of them.
 *
 *     struct thing { struct pointer_entry entry; ... };
 *     static struct pointer_map things = POINTER_MAP(struct thing);
 *
 *     struct thing *thing = pointer_map_take(&things);        // zero, or as the last one was given back
 *     if (thing && !pointer_map_add(&things, &thing->entry, object))
 *       pointer_map_give(&things, &thing->entry);
 *     thing = pointer_map_find(&things, object);              // NULL: not one of ours
 *
 * Every call of an app looks something up here, so pointer_map_find() takes no lock if it finds. It may then
 * read an entry that another thread is just giving back; so what is looked up without a lock comes from
 * pointer_map_take(), whose memory is never freed. Entries from elsewhere are found by
 * pointer_map_find_locked().
 *
 * The map grows with its entries and never shrinks. A lookup may still be reading the slots from before it
 * grew: they stay, and are as many again as those in use at most.
 *
 * Any thread may call any of this, whatever locks it holds: none is taken below this one. A fork holds it
 * (pointer_map_lock), and the child lets go of it before it does anything else.
 */
#ifndef IDEMSHIM_SHIM_POINTER_MAP_H
#define IDEMSHIM_SHIM_POINTER_MAP_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first member of what is found. */
struct pointer_entry {
  _Atomic(void *) key;          /* NULL: in no map */
  struct pointer_entry *unused; /* the next one that nobody has taken; under the lock */
};

/* A line of the cache. Entries and slots begin at one, so that a lookup among many meets as few as can be. */
#define POINTER_MAP_LINE 64u

struct pointer_slots {
  struct pointer_slots *older; /* from before the map grew */
  unsigned shift;
  size_t mask;
  alignas(POINTER_MAP_LINE) _Atomic(struct pointer_entry *) at[]; /* NULL: free */
};

struct pointer_map {
  _Atomic(struct pointer_slots *) slots; /* NULL until something is added */
  _Atomic unsigned count;                /* written under the lock, as what follows */
  struct pointer_entry *unused;
  size_t made; /* how many entries there are */
  size_t entry_size;
  pthread_mutex_t lock;
};
#define POINTER_MAP(type)                                                                                    \
  {                                                                                                          \
    .entry_size = (sizeof(type) + POINTER_MAP_LINE - 1) / POINTER_MAP_LINE * POINTER_MAP_LINE,               \
    .lock = PTHREAD_MUTEX_INITIALIZER                                                                        \
  }

static inline unsigned pointer_map_count(const struct pointer_map *map)
{
  return atomic_load_explicit(&map->count, memory_order_relaxed);
}

/* An entry that is in no map: one that was given back, as it was left, or a new one of
 * zeros. NULL without memory. */
void *pointer_map_take(struct pointer_map *map);

/* Takes out an entry that came from pointer_map_take(), for the next one to take. */
void pointer_map_give(struct pointer_map *map, struct pointer_entry *entry);

/* False without memory. An earlier entry of the same key, whose end nobody has told us, is taken out. */
bool pointer_map_add(struct pointer_map *map, struct pointer_entry *entry, const void *key);

/* An entry that is not in the map is fine. */
void pointer_map_remove(struct pointer_map *map, struct pointer_entry *entry);

static inline struct pointer_entry *pointer_slots_entry(const struct pointer_slots *slots, size_t at)
{
  return atomic_load_explicit(&slots->at[at], memory_order_acquire);
}

static inline void *pointer_entry_key(const struct pointer_entry *entry)
{
  return atomic_load_explicit(&entry->key, memory_order_acquire);
}

static inline size_t pointer_slots_home(const struct pointer_slots *slots, const void *key)
{
  return (size_t)((uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u >> slots->shift);
}

/* What is in the key's own slot: NULL, the entry of the key, as nearly always, or that of another one, which
 * the caller has to tell. It takes no lock, and is for curl_easy_setopt(), which an app with many handles
 * calls for each of them in turn. */
static inline void *pointer_map_at_home(const struct pointer_map *map, const void *key)
{
  const struct pointer_slots *slots = atomic_load_explicit(&map->slots, memory_order_acquire);
  return slots ? pointer_slots_entry(slots, pointer_slots_home(slots, key)) : NULL;
}

/* NULL if there is none. A glance takes no lock: it may miss one that is there, and never finds wrongly. */
void *pointer_map_glance(const struct pointer_map *map, const void *key);

void *pointer_map_find_locked(struct pointer_map *map, const void *key);
static inline void *pointer_map_find(struct pointer_map *map, const void *key)
{
  void *entry = pointer_map_glance(map, key);
  return entry ? entry : pointer_map_find_locked(map, key);
}

void pointer_map_lock(struct pointer_map *map);
void pointer_map_unlock(struct pointer_map *map);

#endif
