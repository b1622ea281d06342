/* SPDX-License-Identifier: MIT */
/*
 * A commit, as it goes on from where the gate is found:
 *
 *     free    body() stores our own, and what waits in the queue with it; done() tells those
 *     taken   nap() puts ours into the queue, once, and sleeps on its slot. Either a leader does it, and
 *             take_verdict() has what it says; or we get into the gate, and body() takes it out of the
 *             queue and stores it from memory
 *     held    for longer than is waited: the slot is left, and whoever leads next does it
 *     failed  where others were in the transaction each does its own once more without the others (`alone`):
 *             ours at once, and theirs when they get into the gate; what nobody comes for is tried by itself
 *             after a later commit (lead_left())
 *
 * A leader holds the gate from the first queue_lead() to the last queue_tell(): whatever is TAKEN then is its
 * own, or of a leader that has died.
 */
#include "store/records/batch.h"

#include "store/base/clock.h"
#include "store/records/answer_index.h"
#include "store/records/claim_record.h"
#include "store/records/evict.h"
#include "store/records/outbox.h"
#include "store/records/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A leader takes no more than so much, and for so long; a larger answer is its writer's own. Who waits looks
 * so often whether a leader has died. */
enum { BATCH_BYTES = 4 << 20, BATCH_LONGEST_US = 5000, LOOK_MS = 10, LEFT_AGAIN_US = 1000000 };

/* A write as its slot has it. Nobody's leader needs what is behind it. */
struct published {
  struct batch_write write;
  uint8_t print[IDEM_KEY_SIZE];
};

_Static_assert(sizeof(struct published) <= QUEUE_WORDS * sizeof(uint64_t) &&
                   sizeof(struct batch_write) % sizeof(uint64_t) == 0 &&
                   sizeof(struct published) % sizeof(uint64_t) == 0,
               "it fits into a slot");

/* Of idem_store.unstored. */
enum { UNSTORED_NONE, UNSTORED_NOTED, UNSTORED_READY, UNSTORED_TOLD };

/* The write of another one, as a leader has it. */
struct taken {
  struct queue_slot *slot;
  struct batch_write write;
  char *record; /* on the heap, from the spill file; freed when it is told or put back */
  size_t len;   /* bytes */
  int verdict;  /* of store_one(), which holds once the transaction is committed */
  uint64_t serial;
};

struct batch {
  struct idem_store *store;
  struct batch_own *own;   /* of this thread; a list, */
  struct queue_slot *slot; /* or one, which waits here for a leader */
  struct taken *taken; /* of others, `count` of them; room for all slots, made when there is any to take */
  unsigned count;
  size_t bytes; /* of what is chosen and taken */
  struct answer_index_victim *victims;
  uint64_t evicted;
  bool asked;     /* whether there is a slot for it */
  bool alone;     /* neither waits for a leader nor is one */
  bool flush;     /* somebody's is durable, and this process's commits are not */
  bool is_silent; /* nobody tells what it says, so it drops nothing */
};

/* Waiting. */

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

static unsigned place_of(const struct idem_store *store, const struct queue_slot *slot)
{
  return (unsigned)(slot - store->stats->queue.slot);
}

static size_t size_of(const struct batch_own *own)
{
  return own->draft ? record_size(own->draft) : own->record.len;
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

/* Nothing is said if it cannot: then it waits for the gate as any other write does. What is too long for a
 * place of the spill file is written to one of its own at the end alone, for a gate that is only busy is
 * sooner free than that is written. */
static void enter_queue(struct batch *batch, size_t most)
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

/* For the gate: how we wait for it. True: our write is done, or whoever is in the gate does what we came
 * for. */
static bool nap(void *arg, long us)
{
  struct batch *batch = arg;
  /* Whoever is in the gate looks for what is left, too. */
  if (!batch->own)
    return true;
  if (!batch->asked && !batch->alone)
    enter_queue(batch, SPILL_PLACE);
  batch->asked = true;
  if (!batch->slot) {
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
    return false;
  }
  queue_sleep(batch->slot, LOOK_MS);
  return queue_is_done(batch->slot);
}

/* Leading. */

/* Of what is in the queue only a record that is whole, and that of its key, is anybody's to store. */
static bool is_sound(const struct idem_store *store, const struct taken *taken)
{
  const struct record_head *head = record_head((struct idem_span){taken->record, taken->len});
  return taken->write.version == BATCH_VERSION && head && !record_is_old(head) &&
         !(head->flags & RECORD_SEALED) == !store->sealed &&
         memcmp(head->key, taken->write.key, IDEM_KEY_SIZE) == 0 &&
         XXH3_64bits(taken->record, taken->len) == taken->slot->sum;
}

/* 0; -EILSEQ: it is not what its writer has put there, or is gone with its file; else it cannot be read now.
 * `why`: as the system says it. */
static int read_taken(const struct idem_store *store, struct taken *taken, int *why)
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

/* The first of this process is enough to look for the cause. */
static void note_unstored(struct idem_store *store, const struct queue_slot *slot, bool stays, int why)
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

/* At least one, however late it is. Each leader begins one slot further. What cannot be read, or is not
 * sound, is its writer's to do again; what has no room in this transaction, or a key that is in it already,
 * waits for the next. */
static void collect(struct batch *batch)
{
  struct commit_queue *queue = &batch->store->stats->queue;
  if (batch->alone || !queue_has_any(queue))
    return;
  if (!batch->taken && !(batch->taken = malloc(QUEUE_SLOTS * sizeof(*batch->taken))))
    return;
  uint32_t first = atomic_load(&queue->first);
  int64_t until = clock_steady_us() + BATCH_LONGEST_US;
  for (uint32_t i = 0; i < QUEUE_SLOTS && (!batch->count || clock_steady_us() < until); i++) {
    struct taken *taken = &batch->taken[batch->count];
    taken->slot = &queue->slot[(first + i) % QUEUE_SLOTS];
    if (!queue_lead(taken->slot))
      continue;
    /* What has failed before is tried by itself. */
    if (queue_has_failed(taken->slot) && (batch->own || batch->count)) {
      queue_put_back(taken->slot);
      continue;
    }
    int why, rc = read_taken(batch->store, taken, &why);
    if (rc < 0) {
      free(taken->record);
      if (!batch->is_silent)
        note_unstored(batch->store, taken->slot, rc != -EILSEQ, why);
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
  atomic_store(&queue->first, (first + 1) % QUEUE_SLOTS);
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

/* Those of writers that do not wait any longer, or have died since theirs has failed: nobody else may come
 * for them. Each that has failed is a transaction of its own, and one that fails again is enough for
 * LEFT_AGAIN_US: it may be long, and the gate is held while it is read. */
static void lead_left(struct batch *batch)
{
  const struct writer_job job = {.body = body, .done = done, .nap = nap, .arg = batch};
  struct idem_store *store = batch->store;
  int64_t now = clock_steady_us(), until = now + BATCH_LONGEST_US;
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
    if (read_taken(store, &taken, &why) < 0 || memcmp(taken.write.key, key, IDEM_KEY_SIZE) != 0) {
      free(taken.record);
      taken.record = NULL;
    }
  if (taken.record)
    lead_left(&batch);
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
  enter_queue(&batch, SPILL_PLACE);
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
    lead_left(&batch);
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
    lead_left(&batch);
  }
  free(batch.taken);
  free(batch.victims);
}

void batch_flush(struct idem_store *store)
{
  struct batch batch = {.store = store, .is_silent = true};
  const struct writer_job job = {.body = body, .done = done, .arg = &batch};
  int64_t until = clock_steady_us() + BATCH_LONGEST_US;
  int rc = 0;
  while (rc >= 0 && queue_has_any(&store->stats->queue) && clock_steady_us() < until)
    rc = state_write_job(store, &job, NULL);
  free(batch.taken);
  free(batch.victims);
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

int batch_commit(struct idem_store *store, struct batch_own *own, struct idem_error *error)
{
  struct batch batch = {.store = store, .own = own};
  const struct writer_job job = {.body = body, .done = done, .nap = nap, .arg = &batch};
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
      enter_queue(&batch, SPILL_MOST);
    /* A leader that has died had it, and the transaction had no room for it. */
    again = batch.slot && (rc >= 0 || rc == -EALREADY) && !queue_is_done(batch.slot);
    if (batch.slot && !again)
      rc = take_verdict(&batch, rc, error);
    again |= rc < 0 && batch.alone && !alone;
  } while (again);
  if (rc >= 0)
    lead_left(&batch);
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
    lead_left(&batch);
  free(batch.taken);
  free(batch.victims);
}
