/* SPDX-License-Identifier: MIT */
/* The table from CURL* to shadow. Reading takes no lock: nodes are never given back, and a node is right only
 * if its handle is. */
#include "shim/handle/shadow.h"

#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 1024u
#define BATCH   16u

static _Atomic(struct shadow *) buckets[BUCKETS];
static struct shadow *unused;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

/* Nobody's, so that `shadow_last` always points somewhere. */
static struct shadow no_shadow = {.quick = (CURL *)&no_shadow};
__thread struct shadow *shadow_last = &no_shadow;

static _Atomic(struct shadow *) *bucket_of(CURL *handle)
{
  return &buckets[((uintptr_t)handle >> 6) * 0x9E3779B97F4A7C15u >> 54];
}

static CURL *handle_of(const struct shadow *shadow)
{
  return atomic_load_explicit(&shadow->handle, memory_order_acquire);
}

static struct shadow *walk(CURL *handle)
{
  struct shadow *shadow = atomic_load_explicit(bucket_of(handle), memory_order_acquire);
  while (shadow && handle_of(shadow) != handle)
    shadow = atomic_load_explicit(&shadow->next, memory_order_acquire);
  return shadow;
}

/* A walk that loses its way over a node that was freed meanwhile can miss, but never find wrongly: only a
 * miss is checked. */
struct shadow *shadow_find_in_table(CURL *handle)
{
  if (!handle)
    return NULL;
  struct shadow *shadow = walk(handle);
  if (!shadow) {
    pthread_mutex_lock(&table_lock);
    shadow = walk(handle);
    pthread_mutex_unlock(&table_lock);
  }
  if (shadow)
    shadow_last = shadow;
  return shadow;
}

static struct shadow *take_unused(void)
{
  if (!unused) {
    struct shadow *batch = calloc(BATCH, sizeof(*batch));
    for (unsigned i = 0; batch && i < BATCH; i++) {
      atomic_store_explicit(&batch[i].next, unused, memory_order_relaxed);
      unused = &batch[i];
    }
  }
  struct shadow *shadow = unused;
  if (shadow)
    unused = atomic_load_explicit(&shadow->next, memory_order_relaxed);
  return shadow;
}

struct shadow *shadow_new(CURL *handle, const struct libcurl *lib)
{
  pthread_mutex_lock(&table_lock);
  struct shadow *shadow = take_unused();
  if (shadow) {
    shadow->lib = lib;
    shadow->state = PERFORM_IDLE;
    shadow->cookie_engine = shadow->cookie_file = shadow->shared = false;
    shadow_reset(shadow);
    _Atomic(struct shadow *) *bucket = bucket_of(handle);
    atomic_store_explicit(&shadow->next, atomic_load_explicit(bucket, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&shadow->handle, handle, memory_order_release);
    atomic_store_explicit(bucket, shadow, memory_order_release);
  }
  pthread_mutex_unlock(&table_lock);
  return shadow;
}

static void unlink_shadow(struct shadow *shadow)
{
  _Atomic(struct shadow *) *link = bucket_of(handle_of(shadow));
  struct shadow *at;
  while ((at = atomic_load_explicit(link, memory_order_relaxed)) && at != shadow)
    link = &at->next;
  if (at)
    atomic_store_explicit(link, atomic_load_explicit(&shadow->next, memory_order_relaxed),
                          memory_order_release);
}

void shadow_free(struct shadow *shadow)
{
  shadow_reset(shadow);
  buffer_release(&shadow->url);
  buffer_release(&shadow->copied_post);
  pthread_mutex_lock(&table_lock);
  unlink_shadow(shadow);
  atomic_store_explicit(&shadow->handle, NULL, memory_order_release);
  atomic_store_explicit(&shadow->quick, (CURL *)shadow, memory_order_relaxed);
  atomic_store_explicit(&shadow->next, unused, memory_order_release);
  unused = shadow;
  pthread_mutex_unlock(&table_lock);
}

void shadow_lock_all(void)
{
  pthread_mutex_lock(&table_lock);
}

void shadow_unlock_all(void)
{
  pthread_mutex_unlock(&table_lock);
}
