/* SPDX-License-Identifier: MIT */
/* What is in the store, and clearing out what nobody needs. */
#include "store/records/evict.h"
#include "store/records/record.h"
#include "store/spool/spool.h"

#include <errno.h>

/* A claim without an answer is of use to the next try for about as long. */
#define CLAIM_AGE_US (INT64_C(24) * 3600 * 1000000)

static int count_old(void *count, struct idem_span key, struct idem_span record)
{
  const struct record_head *head = record_head(record);
  (void)key;
  *(uint64_t *)count += head && record_is_old(head);
  return 0;
}

/* Counters are summed up without a lock, so that two of them may differ by a call that is just under way.
 */
int idem_store_stats(struct idem_store *store, struct idem_stats *out, struct idem_error *error)
{
  struct reader *reader;
  *out = (struct idem_stats){.capacity = store->size, .since_us = store->stats->since_us};
  for (unsigned i = 0; i < IDEM_COUNTER_COUNT; i++)
    out->counter[i] = stats_sum(store->stats, (enum idem_counter)i);
  int rc = state_read(store, &reader, error);
  if (rc < 0)
    return rc;
  out->answers = reader->snapshot.tree[PAGES_ANSWERS].entries;
  /* Only a store that 0.1 has made is walked. */
  if (store->schema <= STORE_SCHEMA_0_1_SEALED)
    pages_each(&reader->snapshot, PAGES_ANSWERS, NULL, count_old, &out->old_answers);
  out->answer_bytes = pages_bytes(&reader->snapshot);
  reader_end(reader);
  return 0;
}

/* Drops batch after batch; each is a transaction, so that apps get their turn in between. The counts in `out`
 * hold also when it ends with an error half way. */
int idem_store_gc(struct idem_store *store, struct idem_gc *out,
                  void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                  struct idem_error *error)
{
  QUIET();
  /* Not the oldest: what has not expired stays as long as there is room. */
  static const struct {
    enum evict_kind kind;
    int64_t age_us;
  } sweeps[] = {
      {EVICT_EXPIRED, 0}, {EVICT_SEEN, 0}, {EVICT_CLAIMS, CLAIM_AGE_US}, {EVICT_OLD_CLAIMS, CLAIM_AGE_US}};
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
  if ((rc = state_read(store, &reader, error)) < 0)
    return rc;
  uint64_t total = reader->snapshot.tree[PAGES_ANSWERS].entries;
  reader_end(reader);
  for (size_t i = 0; i < sizeof(sweeps) / sizeof(*sweeps) && rc == 0; i++)
    while ((rc = evict_batch(store, sweeps[i].kind, sweeps[i].age_us, &gone, error)) > 0)
      if (progress)
        progress(arg, gone.answers, gone.answers > total ? gone.answers : total);
  out->removed = gone.answers;
  out->bytes = gone.bytes;
  out->claims = gone.claims;
  return rc;
}
