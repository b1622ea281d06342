/* SPDX-License-Identifier: MIT */
#include "store/base/owner.h"

#include "store/base/claim_lock.h"
#include "store/base/process.h"

#include <string.h>

_Static_assert(sizeof(struct owner) == 64, "a cache line");

/* The 63 bits that a claim is locked by, and a bit that says that it is one. */
static uint64_t tag_of(const uint8_t *key)
{
  uint64_t tag;
  memcpy(&tag, key, sizeof(tag));
  return tag | 1;
}

static struct owner_bucket *bucket_of(struct owners *owners, const uint8_t *key)
{
  return &owners->bucket[tag_of(key) >> 1 & (OWNER_BUCKETS - 1)];
}

/* A bucket is as many places as four lines of memory have tags for, and a look reads no more than those. */
static struct owner *find(struct owner_bucket *bucket, uint64_t tag)
{
  for (unsigned i = 0; i < OWNER_PLACES; i++)
    if (atomic_load_explicit(&bucket->tag[i], memory_order_acquire) == tag)
      return &bucket->place[i];
  return NULL;
}

struct owner *owner_find(struct owners *owners, const uint8_t *key)
{
  return find(bucket_of(owners, key), tag_of(key));
}

static void put(_Atomic uint32_t *word, uint32_t value)
{
  atomic_store_explicit(word, value, memory_order_relaxed);
}

/* Who was here before with this very claim has died: its lock is ours. */
static struct owner *find_room(struct owner_bucket *bucket, uint64_t tag)
{
  struct owner *left = find(bucket, tag);
  for (unsigned i = 0; i < OWNER_PLACES && !left; i++) {
    uint64_t none = 0;
    if (atomic_load_explicit(&bucket->tag[i], memory_order_relaxed) == 0 &&
        atomic_compare_exchange_strong(&bucket->tag[i], &none, tag))
      return &bucket->place[i];
  }
  return left;
}

struct owner *owner_take(struct owners *owners, const uint8_t *key, const char *upstream_key)
{
  struct owner *owner = find_room(bucket_of(owners, key), tag_of(key));
  if (!owner)
    return NULL;
  put(&owner->pid_namespace, process_pid_namespace());
  put(&owner->pid, (uint32_t)process_pid());
  put(&owner->turns, 0);
  put(&owner->inside, 0);
  put(&owner->waited, 0);
  put(&owner->wanted, 0);
  for (unsigned i = 0; i < OWNER_KEY; i++)
    atomic_store_explicit(&owner->upstream_key[i], upstream_key[i], memory_order_relaxed);
  /* The number comes last: whoever has seen it sees what belongs to it. */
  atomic_fetch_add_explicit(&owner->number, 1, memory_order_release);
  return owner;
}

void owner_give(struct owners *owners, struct owner *owner, uint32_t number, const uint8_t *key)
{
  struct owner_bucket *bucket = bucket_of(owners, key);
  if (atomic_load_explicit(&owner->number, memory_order_relaxed) != number)
    return;
  atomic_store_explicit(&bucket->tag[owner - bucket->place], 0, memory_order_release);
}

/* Whoever frees one has its claim for that time, so that no new owner can be on the point of using the
 * place. */
void owner_sweep(struct owners *owners, const uint8_t *key, const struct claims_file *claims)
{
  struct owner_bucket *bucket = bucket_of(owners, key);
  for (unsigned i = 0; i < OWNER_PLACES; i++) {
    /* The tag is as much of the key as its lock goes by. */
    uint8_t dead[32] = {0};
    uint64_t tag = atomic_load(&bucket->tag[i]);
    memcpy(dead, &tag, sizeof(tag));
    int fd = tag ? claim_lock_take(claims, dead) : -1;
    if (fd < 0)
      continue;
    atomic_compare_exchange_strong(&bucket->tag[i], &tag, 0);
    claim_lock_release(fd, dead);
  }
}

bool owner_read_key(const struct owner *owner, uint32_t number, char out[OWNER_KEY + 1])
{
  for (unsigned i = 0; i < OWNER_KEY; i++)
    out[i] = atomic_load_explicit(&owner->upstream_key[i], memory_order_relaxed);
  out[OWNER_KEY] = '\0';
  /* The letters are read before the number is looked at: if that is still the same, they are of one owner. */
  atomic_thread_fence(memory_order_acquire);
  return atomic_load_explicit(&owner->number, memory_order_relaxed) == number;
}
