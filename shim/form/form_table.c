/* SPDX-License-Identifier: MIT */
#include "shim/form/form_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKETS 256u

static struct tracked *buckets[BUCKETS];
static _Atomic unsigned count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct tracked **bucket_of(const void *real)
{
  return &buckets[((uintptr_t)real >> 4) * 0x9E3779B97F4A7C15u >> 56];
}

/* Under the lock. */
static void take_out(struct tracked *entry)
{
  struct tracked **link = bucket_of(entry->real);
  while (*link != entry)
    link = &(*link)->next;
  *link = entry->next;
  entry->real = NULL;
  atomic_fetch_sub_explicit(&count, 1, memory_order_relaxed);
}

static struct tracked *walk(const void *real)
{
  struct tracked *entry = *bucket_of(real);
  while (entry && entry->real != real)
    entry = entry->next;
  return entry;
}

/* An object whose end we did not see leaves its address to another one. */
void form_table_add(struct tracked *entry, const void *real)
{
  struct tracked **bucket = bucket_of(real);
  pthread_mutex_lock(&lock);
  struct tracked *stale = walk(real);
  if (stale)
    take_out(stale);
  entry->real = real;
  entry->next = *bucket;
  *bucket = entry;
  atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
  pthread_mutex_unlock(&lock);
}

void form_table_remove(struct tracked *entry)
{
  pthread_mutex_lock(&lock);
  if (entry->real)
    take_out(entry);
  pthread_mutex_unlock(&lock);
}

struct tracked *form_table_find(const void *real)
{
  if (!real || !atomic_load_explicit(&count, memory_order_relaxed))
    return NULL;
  pthread_mutex_lock(&lock);
  struct tracked *entry = walk(real);
  pthread_mutex_unlock(&lock);
  return entry;
}

void form_table_lock_all(void)
{
  pthread_mutex_lock(&lock);
}

void form_table_unlock_all(void)
{
  pthread_mutex_unlock(&lock);
}
