/* SPDX-License-Identifier: MIT */
/* What is in the store, and clearing out what nobody needs. */
#include "store/base/clock.h"
#include "store/records/batch.h"
#include "store/records/evict.h"
#include "store/records/record.h"
#include "store/spool/spool.h"

#include <errno.h>
#include <time.h>

/* A claim without an answer is of use to the next try for about as long. */
#define CLAIM_AGE_US (INT64_C(24) * 3600 * 1000000)

static int count_old(void *count, struct idem_span key, struct idem_span record)
{
  const struct record_head *head = record_first(record);
  (void)key;
  *(uint64_t *)count += head && record_is_old(head);
  return 0;
}

/* Counters are summed up without a lock, so that two of them may differ by a call that is just under way.
 */
int idem_store_stats(struct idem_store *store, struct idem_stats *out, struct idem_error *error)
{
  struct reader *reader;
  batch_write_left(store);
  *out = (struct idem_stats){.capacity = store->size, .since_us = store->stats->since_us};
  for (unsigned i = 0; i < IDEM_COUNTER_COUNT; i++)
    out->counter[i] = stats_sum(store->stats, (enum idem_counter)i);
  int rc = state_read(store, &reader, error);
  if (rc < 0)
    return rc;
  /* The number stands at the head of the tree: nothing is counted. */
  out->answers = reader->snapshot.tree[PAGES_ANSWERS].entries;
  /* Only a store that 0.1 has made is walked. */
  if (store->schema <= STORE_SCHEMA_0_1_SEALED)
    pages_each(&reader->snapshot, PAGES_ANSWERS, NULL, count_old, &out->old_answers);
  out->answer_bytes = pages_bytes(&reader->snapshot);
  reader_end(reader);
  return 0;
}

/* A batch takes so long while others write, and so long while nobody does, which is less than an app waits at
 * the gate (lmdb/gate.h); who comes to wait ends it, and what is left then is its commit. The pause behind it
 * is longer than the naps of who waits. Large ones cost less, for names are digests, and of few answers each
 * is on a page of its own. */
enum { GC_LONGEST_US = 20000, GC_LONGEST_ALONE_US = 60000, GC_PAUSE_US = 2500, GC_BATCH_LEAST = 32 };

/* `alone`: no other writer's transaction was between this batch and the one before it. */
static unsigned next_size(unsigned size, int64_t took_us, bool alone)
{
  int64_t longest_us = alone ? GC_LONGEST_ALONE_US : GC_LONGEST_US;
  if (!alone && size > EVICT_BATCH)
    return EVICT_BATCH;
  if (took_us > longest_us)
    return size > GC_BATCH_LEAST ? size / 2 : size;
  return alone && took_us < longest_us / 2 ? 2 * size : size;
}

static int sweep(struct idem_store *store, struct evict_pass pass, struct evicted *gone,
                 void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg, uint64_t total,
                 struct idem_error *error)
{
  uint64_t before = 0;
  int64_t began = clock_steady_us();
  int rc;
  pass.most = GC_BATCH_LEAST;
  pass.yields = true;
  while ((rc = evict_batch(store, &pass, gone, error)) > 0) {
    pass.most = next_size(pass.most, clock_steady_us() - began, pass.number == before + 1);
    before = pass.number;
    if (progress)
      progress(arg, gone->answers, gone->answers > total ? gone->answers : total);
    nanosleep(&(struct timespec){.tv_nsec = GC_PAUSE_US * 1000}, NULL);
    began = clock_steady_us();
  }
  return rc;
}

/* Not the oldest: what has not expired stays as long as there is room. The counts in `out` hold also when it
 * ends with an error half way. */
int idem_store_gc(struct idem_store *store, struct idem_gc *out,
                  void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                  struct idem_error *error)
{
  QUIET();
  static const struct evict_pass sweeps[] = {{.kind = EVICT_EXPIRED},
                                             {.kind = EVICT_SEEN},
                                             {.kind = EVICT_CLAIMS, .age_us = CLAIM_AGE_US},
                                             {.kind = EVICT_OLD_CLAIMS, .age_us = CLAIM_AGE_US}};
  struct evicted gone = {0};
  struct engine *engine;
  struct reader *reader;
  *out = (struct idem_gc){0};
  int rc = state_engine(store, &engine, error);
  if (rc < 0)
    return rc;
  /* The dead first: their snapshots keep what is dropped from being used again. */
  out->readers = (uint64_t)engine_clear_readers(engine);
  spool_sweep(store);
  batch_write_left(store);
  spill_sweep(store);
  if ((rc = state_read(store, &reader, error)) < 0)
    return rc;
  /* So many may have to go; how many have expired is not known beforehand. */
  uint64_t total = reader->snapshot.tree[PAGES_ANSWERS].entries;
  reader_end(reader);
  for (size_t i = 0; i < sizeof(sweeps) / sizeof(*sweeps) && rc == 0; i++)
    rc = sweep(store, sweeps[i], &gone, progress, arg, total, error);
  out->removed = gone.answers;
  out->bytes = gone.bytes;
  out->claims = gone.claims;
  return rc;
}
