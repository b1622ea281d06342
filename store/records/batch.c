/* SPDX-License-Identifier: MIT */
/*
 * A commit, as it goes on from where the gate is found:
 *
 *     free    body() stores our own, and what waits in the queue with it; done() tells those
 *     taken   batch_queue_nap() puts ours into the queue, once, and sleeps on its slot. Either a leader does
 *             it, and take_verdict() has what it says; or we get into the gate, and body() takes it out of
 *             the queue and stores it from memory
 *     held    for longer than is waited: the slot is left, and whoever leads next does it
 *     failed  where others were in the transaction each does its own once more without the others (`alone`):
 *             ours at once, and theirs when they get into the gate; what nobody comes for is tried by itself
 *             after a later commit (batch_lead_left())
 *
 * A leader holds the gate from the first queue_lead() to the last queue_tell(): whatever is TAKEN then is its
 * own, or of a leader that has died.
 */
#include "store/records/batch.h"

#include "store/base/clock.h"
#include "store/records/answer_index.h"
#include "store/records/batch_queue.h"
#include "store/records/claim_record.h"
#include "store/records/evict.h"
#include "store/records/outbox.h"
#include "store/records/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A leader takes no more than so much; a larger answer is its writer's own. */
enum { BATCH_BYTES = 4 << 20, LEFT_AGAIN_US = 1000000 };

/* One transaction cannot see what it has written itself, so a key comes once in it. */
static bool has_key(const struct batch *batch, const uint8_t *key)
{
  bool has = false;
  for (const struct batch_own *own = batch->own; own && !has; own = own->next)
    has = own->chosen && memcmp(own->write.key, key, IDEM_KEY_SIZE) == 0;
  for (unsigned i = 0; i < batch->count && !has; i++)
    has = memcmp(batch->taken[i].write.key, key, IDEM_KEY_SIZE) == 0;
  return has;
}

/* At least one, however large it is; none where a slot has it. */
static unsigned choose(struct batch *batch)
{
  unsigned count = 0;
  for (struct batch_own *own = batch->own; own; own = own->next)
    own->chosen = false;
  for (struct batch_own *own = batch->slot ? NULL : batch->own; own; own = own->next) {
    size_t len = size_of(own);
    if (own->done || (count && batch->bytes + len > BATCH_BYTES) || has_key(batch, own->write.key))
      continue;
    own->chosen = true;
    batch->bytes += len;
    count++;
  }
  return count;
}

static int compare_claims(const void *a, const void *b)
{
  const struct taken *one = a, *two = b;
  return (one->write.generation > two->write.generation) - (one->write.generation < two->write.generation);
}

/* Slots whose write is to be done, in the order of their claims: nobody is always the last, and what has no
 * time in this transaction is younger than what is in it. */
static unsigned find_waiting(struct commit_queue *queue, struct taken *taken)
{
  unsigned found = 0;
  for (unsigned i = 0; i < QUEUE_SLOTS; i++)
    if (queue_waits(&queue->slot[i])) {
      taken[found].slot = &queue->slot[i];
      queue_get_write(&queue->slot[i], &taken[found++].write, sizeof(taken->write));
    }
  if (found > 1)
    qsort(taken, found, sizeof(*taken), compare_claims);
  return found;
}

/* At least one, however late it is. What cannot be read, or is not sound, is its writer's to do again; what
 * has no room in this transaction, or a key that is in it already, waits for the next. */
static void collect(struct batch *batch)
{
  struct commit_queue *queue = &batch->store->stats->queue;
  if (batch->alone || !queue_has_any(queue))
    return;
  if (!batch->taken && !(batch->taken = malloc(QUEUE_SLOTS * sizeof(*batch->taken))))
    return;
  unsigned found = find_waiting(queue, batch->taken);
  int64_t until = clock_steady_us() + batch->store->lead_us;
  for (unsigned i = 0; i < found && (!batch->count || clock_steady_us() < until); i++) {
    struct taken *taken = &batch->taken[batch->count];
    taken->slot = batch->taken[i].slot;
    if (!queue_lead(taken->slot))
      continue;
    /* What has failed before is tried by itself. */
    if (queue_has_failed(taken->slot) && (batch->own || batch->count)) {
      queue_put_back(taken->slot);
      continue;
    }
    int why, rc = batch_queue_read(batch->store, taken, &why);
    if (rc < 0) {
      free(taken->record);
      if (!batch->is_silent)
        batch_queue_note_unstored(batch->store, taken->slot, rc != -EILSEQ, why);
      if (rc == -EILSEQ && batch->is_silent)
        queue_put_back(taken->slot);
      else if (rc == -EILSEQ)
        queue_tell(queue, taken->slot, -EAGAIN, 0);
      else
        queue_fail(taken->slot);
    } else if (has_key(batch, taken->write.key) ||
               ((batch->own || batch->count) && batch->bytes + taken->len > BATCH_BYTES)) {
      free(taken->record);
      queue_put_back(taken->slot);
    } else {
      batch->bytes += taken->len;
      batch->count++;
      if (queue_has_failed(taken->slot))
        break;
    }
  }
  if (!batch->count)
    queue_recount(queue);
  atomic_store(&queue->first, (atomic_load(&queue->first) + 1) % QUEUE_SLOTS);
}

/* Within a transaction serial numbers are given in the order in which the answers came; those of one tick of
 * the clock, in that in which they were claimed. */
static int compare_age(const void *a, const void *b)
{
  const struct taken *one = a, *two = b;
  int64_t x = record_head((struct idem_span){one->record, one->len})->stored_us;
  int64_t y = record_head((struct idem_span){two->record, two->len})->stored_us;
  if (x != y)
    return x < y ? -1 : 1;
  return (one->write.generation > two->write.generation) - (one->write.generation < two->write.generation);
}

/* The answer of a claim is stored once, whoever does it. */
static bool is_there(const struct writer *writer, const struct batch_write *write, uint64_t *serial)
{
  const struct record_head *head = write->generation ? parts_find_sound(&writer->before, write->key) : NULL;
  bool there = head && !record_is_old(head) && head->generation == write->generation;
  if (there)
    *serial = head->serial;
  return there;
}

/* What the claim says now decides, under the lock that writes: nothing of ours is in the way of a later
 * owner. Beside an owner that has stalled there is no claim, and the first whole answer is kept, whoever of
 * the two has it. One that was there before, expired or of other content, goes with its indexes. */
static int store_one(struct writer *writer, const struct batch_write *write, struct answer_index_new *new)
{
  struct claim_record claim;
  if (is_there(writer, write, &new->serial))
    return IDEM_STORED;
  int rc = claim_record_read(&writer->before, write->key, &claim);
  bool ours = write->flags & BATCH_STANDS ||
              (rc == 0 && claim.state == CLAIM_IN_FLIGHT && claim.generation == write->generation);
  if (rc < 0 && rc != -ENOENT)
    return rc;
  /* Another owner, who took us for dead, has begun since, or has even stored its answer. */
  if ((!ours && !(write->flags & BATCH_BESIDE)) ||
      answer_index_is_later(&writer->before, write->key, write->last_serial)) {
    rc = ours ? claim_record_drop(writer, write->key) : 0;
    return rc < 0 ? rc : IDEM_SUPERSEDED;
  }
  new->key = write->key;
  new->base = write->base;
  new->sampled = (write->flags & BATCH_SAMPLED) != 0;
  rc = answer_index_drop(writer, write->key);
  if (rc == 0)
    rc = claim_record_drop(writer, write->key);
  if (rc == 0)
    rc = answer_index_put(writer, new);
  if (rc == 0 && write->flags & BATCH_UNSHARED)
    rc = outbox_note(writer, write->key);
  if (rc == 0 && write->flags & BATCH_DELIVERED)
    rc = claim_record_advance(writer, write->base, write->sequence);
  return rc < 0 ? rc : IDEM_STORED;
}

/* The next serial number is used up only by what was stored under it: an answer that is found to be there
 * keeps its own. */
static int store_own(struct writer *writer, struct batch_own *own, uint64_t *serial)
{
  struct answer_index_new new = {.draft = own->draft, .record = own->record, .serial = *serial + 1};
  if (own->draft)
    own->answer->serial = new.serial;
  own->verdict = store_one(writer, &own->write, &new);
  own->serial = new.serial;
  *serial += own->verdict == IDEM_STORED && new.serial == *serial + 1;
  return own->verdict < 0 ? own->verdict : 0;
}

static int store_taken(struct writer *writer, struct taken *taken, uint64_t *serial)
{
  struct answer_index_new new = {.record = {taken->record, taken->len}, .serial = *serial + 1};
  taken->verdict = store_one(writer, &taken->write, &new);
  taken->serial = new.serial;
  *serial += taken->verdict == IDEM_STORED && new.serial == *serial + 1;
  return taken->verdict < 0 ? taken->verdict : 0;
}

/* Its own that waits is taken out of the queue, unless a leader that died has had it: then it is one of the
 * others'. One that has failed with others is not tried with others again. */
static int body(struct writer *writer, void *arg)
{
  struct batch *batch = arg;
  bool failed = batch->slot && queue_has_failed(batch->slot);
  if (batch->slot && queue_withdraw(&batch->store->stats->queue, batch->slot)) {
    batch->slot = NULL;
    batch->alone |= failed;
  }
  batch->bytes = 0;
  unsigned chosen = choose(batch);
  collect(batch);
  if (!chosen && !batch->count)
    return -EALREADY;
  uint64_t last = answer_index_last(&writer->before), serial = last;
  batch->evicted = 0;
  int rc = evict_some(batch->store, writer, chosen + batch->count);
  if (rc == 0)
    rc = evict_within(batch->store, writer, batch->bytes, &batch->victims, &batch->evicted);
  batch->flush = false;
  if (batch->count > 1)
    qsort(batch->taken, batch->count, sizeof(*batch->taken), compare_age);
  for (unsigned i = 0; i < batch->count && rc == 0; i++) {
    rc = store_taken(writer, &batch->taken[i], &serial);
    batch->flush |= batch->taken[i].write.durable;
  }
  for (struct batch_own *own = chosen ? batch->own : NULL; own && rc == 0; own = own->next)
    if (own->chosen) {
      rc = store_own(writer, own, &serial);
      batch->flush |= own->write.durable;
    }
  if (rc == 0 && serial != last)
    rc = answer_index_put_last(writer, serial);
  return rc;
}

/* Nobody else is in the gate yet, so that no other leader takes these for those of a dead one. */
static int done(struct engine *engine, int rc, void *arg)
{
  struct batch *batch = arg;
  int flushed = rc >= 0 && batch->flush && !batch->store->sync ? writer_flush(engine) : 0;
  for (unsigned i = 0; i < batch->count; i++) {
    struct taken *taken = &batch->taken[i];
    /* Before its slot is another's. */
    if (rc >= 0 && taken->len > SPILL_PLACE)
      spill_drop(batch->store, atomic_load(&taken->slot->spill), place_of(batch->store, taken->slot));
    if (rc < 0)
      queue_fail(taken->slot);
    else {
      /* Its writer may have gone on without the number of its answer. */
      if (taken->verdict == IDEM_STORED && taken->write.flags & BATCH_REPLAYED)
        stats_first_replay(batch->store->stats, taken->serial);
      else if (taken->verdict == IDEM_STORED)
        stats_forget_replay(batch->store->stats, taken->serial);
      queue_tell(&batch->store->stats->queue, taken->slot, flushed < 0 ? flushed : taken->verdict,
                 taken->serial);
    }
    free(taken->record);
  }
  for (struct batch_own *own = rc >= 0 && flushed >= 0 && !batch->slot ? batch->own : NULL; own;
       own = own->next)
    own->done |= own->chosen;
  if (rc >= 0 && batch->evicted)
    stats_add(batch->store->stats, stats_shard(), IDEM_COUNTER_evicted, batch->evicted);
  batch->alone |= rc < 0 && batch->count;
  batch->count = 0;
  return flushed;
}

/* What became of it in another one's transaction. One that is waited for no longer is done all the same, when
 * whoever is in the gate goes on: its record stays where it is. */
static int take_verdict(struct batch *batch, int rc, struct idem_error *error)
{
  struct queue_slot *slot = batch->slot;
  if (rc == -ETIMEDOUT && queue_leave(slot)) {
    batch->slot = NULL;
    struct idem_error why = error ? *error : (struct idem_error){""};
    return idem_error_set(error, rc, "%.400s (the answer is stored when that goes on)", why.text);
  }
  if (queue_is_done(slot)) {
    rc = slot->verdict;
    batch->own->serial = slot->serial;
    batch->alone |= rc == -EAGAIN;
    if (rc < 0)
      idem_error_set(error, rc, "cannot write to the store: %s", strerror(-rc));
    queue_give(slot);
  } else if (!queue_withdraw(&batch->store->stats->queue, slot)) {
    return take_verdict(batch, -ETIMEDOUT, error);
  }
  batch->slot = NULL;
  return rc;
}

void batch_lead_left(struct batch *batch)
{
  const struct writer_job job = {.body = body, .done = done, .nap = batch_queue_nap, .arg = batch};
  struct idem_store *store = batch->store;
  int64_t now = clock_steady_us(), until = now + store->lead_us;
  bool goes_on = !batch->alone && now >= atomic_load_explicit(&store->left_again_us, memory_order_relaxed);
  batch->own = NULL;
  while (goes_on && queue_has_left(&store->stats->queue)) {
    int rc = state_write_job(store, &job, NULL);
    /* Long ones are not made room for within their transaction. What fails is done again without the
     * queue, but for these. */
    if (rc == -ENOSPC && evict_for(store, batch->bytes, 1, NULL) == 0) {
      batch->alone = false;
      rc = state_write_job(store, &job, NULL);
    }
    if (rc < 0)
      atomic_store_explicit(&store->left_again_us, clock_steady_us() + LEFT_AGAIN_US, memory_order_relaxed);
    goes_on = rc >= 0 && clock_steady_us() < until;
  }
}

void batch_flush(struct idem_store *store)
{
  struct batch batch = {.store = store, .is_silent = true};
  const struct writer_job job = {.body = body, .done = done, .arg = &batch};
  int64_t until = clock_steady_us() + store->lead_us;
  int rc = 0;
  while (rc >= 0 && queue_has_any(&store->stats->queue) && clock_steady_us() < until)
    rc = state_write_job(store, &job, NULL);
  free(batch.taken);
  free(batch.victims);
}

int batch_commit(struct idem_store *store, struct batch_own *own, struct idem_error *error)
{
  struct batch batch = {.store = store, .own = own};
  const struct writer_job job = {.body = body, .done = done, .nap = batch_queue_nap, .arg = &batch};
  bool again;
  int rc;
  own->next = NULL;
  own->done = false;
  do {
    bool alone = batch.alone;
    rc = state_write_job(store, &job, error);
    if (rc >= 0)
      rc = own->verdict;
    /* The gate was waited for in vain a moment ago, and is not waited for again. */
    if (rc == -ETIMEDOUT && !batch.slot && !alone)
      batch_queue_enter(&batch, SPILL_MOST);
    /* A leader that has died had it, and the transaction had no room for it. */
    again = batch.slot && (rc >= 0 || rc == -EALREADY) && !queue_is_done(batch.slot);
    if (batch.slot && !again)
      rc = take_verdict(&batch, rc, error);
    again |= rc < 0 && batch.alone && !alone;
  } while (again);
  if (rc >= 0)
    batch_lead_left(&batch);
  free(batch.taken);
  free(batch.victims);
  return rc;
}

int batch_commit_with_room(struct idem_store *store, struct batch_own *own, struct idem_error *error)
{
  enum { TRIES = 3 };
  uint64_t need = size_of(own);
  int rc = -ENOSPC;
  for (unsigned i = 0; i < TRIES && rc == -ENOSPC; i++) {
    bool within = i == 0 && evict_fits_within(store, need);
    rc = within ? evict_may_have(store, need, error) : evict_for(store, need, i, error);
    /* Where room could not be made because of somebody who does not go on, it waits in the queue
     * for whoever has some. */
    if (rc == 0 || rc == -ETIMEDOUT)
      rc = batch_commit(store, own, error);
  }
  return rc;
}

/* They wait for the gate without the queue: they are a batch of their own, and take in those that wait. */
void batch_commit_all(struct idem_store *store, struct batch_own *first, struct idem_error *error)
{
  struct batch batch = {.store = store, .own = first};
  const struct writer_job job = {.body = body, .done = done, .arg = &batch};
  const struct batch_own *left = first;
  while (left && state_write_job(store, &job, error) >= 0)
    while (left && left->done)
      left = left->next;
  if (!left)
    batch_lead_left(&batch);
  free(batch.taken);
  free(batch.victims);
}
