/* SPDX-License-Identifier: MIT */
/*
 * Answers that are left to whoever writes next, where a burst would make a transaction for each: they stay in
 * the queue, where any process finds them, and are written by the next commit, by who asks for them, or at
 * the end of the process that left them.
 */
#include "store/records/batch_queue.h"

#include "store/base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct queue_search search_of(const struct idem_store *store)
{
  return (struct queue_search){.spill = atomic_load_explicit(&store->spill.number, memory_order_relaxed)};
}

/* The next slot of this key that waits, or NULL. */
static struct queue_slot *next_left(const struct idem_store *store, const uint8_t *key,
                                    struct queue_search *search)
{
  struct queue_slot *slot;
  struct batch_write write;
  while ((slot = queue_next_waiting(&store->stats->queue, search))) {
    queue_get_write(slot, &write, sizeof(write));
    if (memcmp(write.key, key, IDEM_KEY_SIZE) == 0)
      return slot;
  }
  return NULL;
}

bool batch_has_left(const struct idem_store *store, const uint8_t *key)
{
  struct queue_search search = search_of(store);
  return next_left(store, key, &search) != NULL;
}

/* Read before it is stored, so that it is had whatever becomes of that. A slot may go to another write
 * meanwhile: then it is not this key's, or not whole. */
char *batch_take_left(struct idem_store *store, const uint8_t *key, size_t *len)
{
  struct batch batch = {.store = store};
  struct taken taken = {.record = NULL};
  struct queue_search search = search_of(store);
  int why;
  while (!taken.record && (taken.slot = next_left(store, key, &search)))
    if (batch_queue_read(store, &taken, &why) < 0 || memcmp(taken.write.key, key, IDEM_KEY_SIZE) != 0) {
      free(taken.record);
      taken.record = NULL;
    }
  if (taken.record)
    batch_lead_left(&batch);
  free(batch.taken);
  free(batch.victims);
  *len = taken.len;
  return taken.record;
}

static void write_ours(struct idem_store *store)
{
  if (atomic_load(&store->left_life) == process_generation())
    batch_write_left(store);
}

/* A child by vfork() has the memory of its parent, whose end this is not. */
static void finish(void)
{
  QUIET();
  if (getpid() == process_pid())
    state_each(write_ours);
}

/* A child leaves its parent's alone: it would have to open the store for that. */
static void write_at_end(struct idem_store *store)
{
  static _Atomic bool registered;
  atomic_store(&store->write_left, write_ours);
  atomic_store(&store->left_life, process_generation());
  if (!atomic_exchange(&registered, true)) {
    atexit(finish);
    at_quick_exit(finish);
  }
}

bool batch_leave(struct idem_store *store, struct batch_own *own)
{
  /* So many share a transaction, which costs most by being one. */
  enum { TOGETHER = 16 };
  struct batch batch = {.store = store, .own = own};
  if (queue_count(&store->stats->queue) >= TOGETHER)
    return false;
  write_at_end(store);
  batch_queue_enter(&batch, SPILL_PLACE);
  /* Somebody may have done it in between. */
  if (batch.slot && !queue_leave(batch.slot))
    queue_give(batch.slot);
  return batch.slot != NULL;
}

void batch_write_left(struct idem_store *store)
{
  struct commit_queue *queue = &store->stats->queue;
  struct batch batch = {.store = store, .is_silent = true};
  unsigned before = QUEUE_SLOTS + 1;
  /* A part of them goes each time, or nobody can write now. */
  while (!store->read_only && queue_count(queue) < before && queue_has_left(queue)) {
    before = queue_count(queue);
    batch_lead_left(&batch);
  }
  free(batch.taken);
  free(batch.victims);
}

/* Of the answer of this key, or of one of this content (`print` NULL: of this key alone). */
static bool is_left(const struct idem_store *store, const uint8_t *key, const uint8_t *print)
{
  struct queue_search search = search_of(store);
  struct queue_slot *slot;
  struct published published;
  while ((slot = queue_next_waiting(&store->stats->queue, &search))) {
    if (!queue_is_left(slot))
      continue;
    queue_get_write(slot, &published, sizeof(published));
    if (memcmp(published.write.key, key, IDEM_KEY_SIZE) == 0 ||
        (print && memcmp(published.print, print, IDEM_KEY_SIZE) == 0))
      return true;
  }
  return false;
}

/* Who is in the gate may have begun before it was left, so the gate is tried until that has gone on. */
void batch_write_left_of(struct idem_store *store, const uint8_t *key, const uint8_t *print)
{
  enum { LONGEST_US = 20000, NAP_NS = 100000 };
  struct batch batch = {.store = store};
  int64_t until = 0;
  while (!store->read_only && is_left(store, key, print)) {
    int64_t now = clock_steady_us();
    if (until && now >= until)
      break;
    if (until)
      nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    else
      until = now + LONGEST_US;
    batch_lead_left(&batch);
  }
  free(batch.taken);
  free(batch.victims);
}
