/* SPDX-License-Identifier: MIT */
/*
 * Each kind of thing to drop is a walk over one tree, whose visitor drops what it may and ends the walk when
 * it has enough. A walk sees what was there when its transaction began, so that dropping does not disturb it.
 */
#include "store/records/evict.h"

#include "store/base/claim_lock.h"
#include "store/base/clock.h"
#include "store/records/answer_index.h"
#include "store/records/claim_record.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* BATCH and CLAIM_BATCH go in one transaction, so that no writer waits long. ROUNDS_MOST is more than any
 * store has batches: it ends the work on one in which dropping frees nothing. */
enum { BATCH = 64, CLAIM_BATCH = 256, TIDY_CLAIMS = 4, ROUNDS_MOST = 100000 };

#define DAY_US (INT64_C(24) * 3600 * 1000000)

struct sweep {
  struct idem_store *store;
  struct writer *writer;
  enum evict_kind kind;
  const struct idem_span *from; /* NULL: the first */
  int64_t before;               /* what was to end, or began, before this goes */
  uint64_t enough;              /* bytes; stops there */
  unsigned look, most, count;
  uint64_t bytes;
};

/* One entry of an index and the answer that it leads to. */
static int drop_answer(struct sweep *sweep, enum pages_tree index, struct idem_span name,
                       struct idem_span key)
{
  /* The entry itself, too, should its answer be gone. */
  int rc = writer_delete(sweep->writer, index, name.data, name.len);
  if (rc < 0)
    return rc;
  if (key.len != IDEM_KEY_SIZE)
    return -EILSEQ;
  rc = answer_index_drop(sweep->writer, (const uint8_t *)key.data, &sweep->bytes);
  return rc < 0 ? rc : ++sweep->count >= sweep->most || sweep->bytes >= sweep->enough;
}

static int drop_expired(void *arg, struct idem_span name, struct idem_span key)
{
  struct sweep *sweep = arg;
  if (name.len != 16 || answer_index_expiry_time(name.data) > sweep->before)
    return 1;
  return drop_answer(sweep, PAGES_EXPIRY, name, key);
}

static int drop_oldest(void *arg, struct idem_span name, struct idem_span key)
{
  return drop_answer(arg, PAGES_AGE, name, key);
}

/* The lock is asked inside the transaction: whoever takes it now waits with its record until this has
 * ended. */
static int drop_claim(void *arg, struct idem_span key, struct idem_span value)
{
  struct sweep *sweep = arg;
  struct claim_record claim = {0};
  if (sweep->look-- == 0)
    return 1;
  /* An upstream key is worth keeping for the next try, but not for ever. */
  bool wanted = claim_record_parse(value, &claim) == 0 &&
                (claim.started_us >= sweep->before ||
                 (claim.state == CLAIM_IN_FLIGHT &&
                  claim_lock_taken(state_claims_fd(sweep->store), (const uint8_t *)key.data) != 0));
  if (wanted)
    return 0;
  int rc = writer_delete(sweep->writer, sweep->kind == EVICT_CLAIMS ? PAGES_OPS : PAGES_OLD_OPS, key.data,
                         key.len);
  if (rc == 0 && claim.version)
    rc = writer_delete(sweep->writer, PAGES_PRINTS, claim.print, IDEM_KEY_SIZE);
  return rc < 0 ? rc : ++sweep->count >= sweep->most;
}

/* What observe mode has noted begins with its expiry (call/observe.c). */
static int drop_seen(void *arg, struct idem_span key, struct idem_span value)
{
  struct sweep *sweep = arg;
  int64_t expires_us = 0;
  if (value.len >= sizeof(expires_us))
    memcpy(&expires_us, value.data, sizeof(expires_us));
  if (expires_us > sweep->before)
    return 0;
  int rc = writer_delete(sweep->writer, PAGES_SEEN, key.data, key.len);
  return rc < 0 ? rc : ++sweep->count >= sweep->most;
}

static const struct {
  enum pages_tree tree;
  pages_visit *drop;
  unsigned most;
} kinds[EVICT_KINDS] = {
    [EVICT_EXPIRED] = {PAGES_EXPIRY, drop_expired, BATCH},
    [EVICT_OLDEST] = {PAGES_AGE, drop_oldest, BATCH},
    [EVICT_CLAIMS] = {PAGES_OPS, drop_claim, CLAIM_BATCH},
    [EVICT_OLD_CLAIMS] = {PAGES_OLD_OPS, drop_claim, CLAIM_BATCH},
    [EVICT_SEEN] = {PAGES_SEEN, drop_seen, CLAIM_BATCH},
};

/* A walk that was ended by its visitor has done what it should. */
static int sweep_body(struct writer *writer, void *arg)
{
  struct sweep *sweep = arg;
  sweep->writer = writer;
  int rc = pages_each(&writer->before, kinds[sweep->kind].tree, sweep->from, kinds[sweep->kind].drop, sweep);
  return rc < 0 ? rc : 0;
}

/* Time is taken before the lock is waited for: what expires meanwhile has time until the next batch. */
static int batch(struct idem_store *store, enum evict_kind kind, int64_t age_us, uint64_t enough,
                 struct evicted *gone, struct idem_error *error)
{
  struct sweep sweep = {.store = store,
                        .kind = kind,
                        .before = clock_now_us() - age_us,
                        .enough = enough,
                        .look = UINT32_MAX,
                        .most = kinds[kind].most};
  int rc = state_write(store, sweep_body, &sweep, error);
  if (rc < 0)
    return rc;
  gone->bytes += sweep.bytes;
  *(kinds[kind].drop == drop_claim ? &gone->claims : &gone->answers) += sweep.count;
  return (int)sweep.count;
}

int evict_batch(struct idem_store *store, enum evict_kind kind, int64_t age_us, struct evicted *gone,
                struct idem_error *error)
{
  return batch(store, kind, age_us, UINT64_MAX, gone, error);
}

/* Each commit pays for a little clearing out, so that a store that nobody runs gc on does not fill up with
 * what has expired. */
int evict_some(struct idem_store *store, struct writer *writer, unsigned most)
{
  uint8_t key[IDEM_KEY_SIZE];
  struct idem_span from = {(const char *)key, sizeof(key)};
  struct sweep expired = {.store = store, .before = clock_now_us(), .enough = UINT64_MAX, .most = most};
  struct sweep claims = {.store = store,
                         .kind = EVICT_CLAIMS,
                         .from = &from,
                         .before = expired.before - 7 * DAY_US,
                         .look = TIDY_CLAIMS,
                         .most = TIDY_CLAIMS};
  int rc = sweep_body(writer, &expired);
  /* Keys are hashes, so a walk from a random place is a sample. */
  if (rc < 0 || getrandom(key, sizeof(key), GRND_NONBLOCK) != sizeof(key))
    return rc;
  return sweep_body(writer, &claims);
}

/* Counted by pages, as LMDB takes them: an answer of 100 bytes shares one, one of 5,000 has two. */
static int used_bytes(struct idem_store *store, uint64_t *used, struct idem_error *error)
{
  struct reader *reader;
  int rc = state_read(store, &reader, error);
  if (rc < 0)
    return rc;
  *used = pages_bytes(&reader->snapshot);
  reader_end(reader);
  return 0;
}

/* Outside of the commit's own transaction, since pages that a transaction frees can be used only by a
 * later one. */
int evict_for(struct idem_store *store, uint64_t need, struct idem_error *error)
{
  uint64_t capacity = store->size, used;
  struct engine *engine;
  if (need > capacity / 4)
    return idem_error_set(
        error, -EFBIG,
        "the answer takes %llu bytes, more than a quarter of the store (IDEMSHIM_STORE_SIZE is %llu)",
        (unsigned long long)need, (unsigned long long)capacity);
  int rc = used_bytes(store, &used, error);
  if (rc < 0 || used + need <= capacity)
    return rc;
  /* A reader that died while it held a snapshot keeps what is dropped from being used again. */
  if ((rc = state_engine(store, &engine, error)) < 0)
    return rc;
  engine_clear_readers(engine);
  /* More than is needed now, so that not every commit has to. */
  uint64_t target = capacity - need > capacity / 16 ? capacity - need - capacity / 16 : 0;
  for (int i = 0; i < ROUNDS_MOST && used > target; i++) {
    struct evicted gone = {0};
    int dropped = 0;
    for (unsigned kind = 0; kind < EVICT_KINDS && dropped == 0; kind++)
      dropped = batch(store, (enum evict_kind)kind, 0, kind == EVICT_OLDEST ? used - target : UINT64_MAX,
                      &gone, error);
    stats_add(store->stats, stats_shard(), IDEM_COUNTER_evicted, gone.answers);
    if (dropped < 0)
      return dropped;
    if (dropped == 0)
      return idem_error_set(error, -ENOSPC, "the store is full and there is nothing left to drop");
    if ((rc = used_bytes(store, &used, error)) < 0)
      return rc;
  }
  return 0;
}
