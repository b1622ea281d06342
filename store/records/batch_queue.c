/* SPDX-License-Identifier: MIT */
#include "store/records/batch_queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Who waits looks so often whether a leader has died. */
enum { LOOK_MS = 10 };

_Static_assert(sizeof(struct published) <= QUEUE_WORDS * sizeof(uint64_t) &&
                   sizeof(struct batch_write) % sizeof(uint64_t) == 0 &&
                   sizeof(struct published) % sizeof(uint64_t) == 0,
               "it fits into a slot");

/* Of idem_store.unstored. */
enum { UNSTORED_NONE, UNSTORED_NOTED, UNSTORED_READY, UNSTORED_TOLD };

static bool writer_lives(const void *store, uint64_t spill)
{
  return spill_lives(store, spill);
}

/* A queue that is full may be full of the dead, whom nobody has looked for yet. */
static struct queue_slot *take_slot(struct idem_store *store, uint64_t number)
{
  struct commit_queue *queue = &store->stats->queue;
  struct queue_slot *slot = queue_take(queue, number);
  if (slot)
    return slot;
  queue_sweep(queue, writer_lives, store);
  return queue_take(queue, number);
}

static char *copy_of(const struct batch_own *own, size_t len)
{
  char *record = malloc(len);
  if (record && !own->draft)
    return memcpy(record, own->record.data, len);
  if (own->draft)
    own->answer->serial = 0;
  if (record && record_write(own->draft, record) == 0)
    return record;
  free(record);
  return NULL;
}

void batch_queue_enter(struct batch *batch, size_t most)
{
  struct idem_store *store = batch->store;
  const struct batch_own *own = batch->own;
  uint64_t number;
  size_t len = size_of(own);
  char *record = len <= most && spill_open(store, &number) == 0 ? copy_of(own, len) : NULL;
  struct queue_slot *slot = record ? take_slot(store, number) : NULL;
  if (slot) {
    struct published published = {.write = own->write};
    memcpy(published.print, own->print, IDEM_KEY_SIZE);
    queue_put_write(slot, &published, sizeof(published));
    slot->len = len;
    slot->sum = XXH3_64bits(record, len);
    if (spill_write(store, number, place_of(store, slot), record, len) == 0) {
      batch->slot = slot;
      queue_publish(&store->stats->queue, slot);
    } else {
      queue_give(slot);
    }
  }
  free(record);
}

bool batch_queue_nap(void *arg, long us)
{
  struct batch *batch = arg;
  /* Whoever is in the gate looks for what is left, too. */
  if (!batch->own)
    return true;
  if (!batch->asked && !batch->alone)
    batch_queue_enter(batch, SPILL_PLACE);
  batch->asked = true;
  if (!batch->slot) {
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
    return false;
  }
  queue_sleep(batch->slot, LOOK_MS);
  return queue_is_done(batch->slot);
}

/* Of what is in the queue only a record that is whole, and that of its key, is anybody's to store. */
static bool is_sound(const struct idem_store *store, const struct taken *taken)
{
  const struct record_head *head = record_head((struct idem_span){taken->record, taken->len});
  return taken->write.version == BATCH_VERSION && head && !record_is_old(head) &&
         !(head->flags & RECORD_SEALED) == !store->sealed &&
         memcmp(head->key, taken->write.key, IDEM_KEY_SIZE) == 0 &&
         XXH3_64bits(taken->record, taken->len) == taken->slot->sum;
}

int batch_queue_read(const struct idem_store *store, struct taken *taken, int *why)
{
  struct queue_slot *slot = taken->slot;
  queue_get_write(slot, &taken->write, sizeof(taken->write));
  taken->len = slot->len;
  taken->record = taken->len <= SPILL_MOST ? malloc(taken->len) : NULL;
  if (!taken->record)
    return *why = taken->len <= SPILL_MOST ? -ENOMEM : -EILSEQ;
  int rc = *why =
      spill_read(store, atomic_load(&slot->spill), place_of(store, slot), taken->record, taken->len);
  if (rc == -ENODATA || (rc == -ENOENT && state_is_in_place(store)) || (rc == 0 && !is_sound(store, taken))) {
    *why = rc < 0 ? rc : -EILSEQ;
    return -EILSEQ;
  }
  return rc;
}

void batch_queue_note_unstored(struct idem_store *store, const struct queue_slot *slot, bool stays, int why)
{
  int none = UNSTORED_NONE;
  char place[32] = "", text[128];
  if (!atomic_compare_exchange_strong(&store->unstored, &none, UNSTORED_NOTED))
    return;
  uint64_t number = atomic_load(&slot->spill);
  if (slot->len > SPILL_PLACE)
    snprintf(place, sizeof(place), ".%02x", place_of(store, slot));
  else
    snprintf(place, sizeof(place), ", place %u", place_of(store, slot));
  snprintf(store->unstored_line, sizeof(store->unstored_line),
           "%.300s/queue/%016llx%s cannot be read to store the answer in it: %s (errno %d); %s", store->dir,
           (unsigned long long)number, place, strerror_r(-why, text, sizeof(text)), -why,
           stays ? "it is tried again after later answers"
                 : "unless the program that got it stores it itself, its call is sent, and paid for, again");
  atomic_store(&store->unstored, UNSTORED_READY);
}

const char *batch_unstored(struct idem_store *store)
{
  int ready = UNSTORED_READY;
  return atomic_load_explicit(&store->unstored, memory_order_relaxed) == UNSTORED_READY &&
                 atomic_compare_exchange_strong(&store->unstored, &ready, UNSTORED_TOLD)
             ? store->unstored_line
             : NULL;
}

void batch_drop(struct idem_store *store, const uint8_t *key)
{
  struct commit_queue *queue = &store->stats->queue;
  struct taken taken;
  for (unsigned i = 0; i < QUEUE_SLOTS && queue_has_any(queue); i++) {
    taken.slot = &queue->slot[i];
    if (!queue_waits(taken.slot) || !queue_lead(taken.slot))
      continue;
    queue_get_write(taken.slot, &taken.write, sizeof(taken.write));
    if (memcmp(taken.write.key, key, IDEM_KEY_SIZE) != 0) {
      queue_put_back(taken.slot);
      continue;
    }
    if (taken.slot->len > SPILL_PLACE)
      spill_drop(store, atomic_load(&taken.slot->spill), place_of(store, taken.slot));
    queue_tell(queue, taken.slot, IDEM_SUPERSEDED, 0);
  }
}
