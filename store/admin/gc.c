/* SPDX-License-Identifier: MIT */
/* What is in the store, and clearing out what nobody needs. */
#include "store/base/clock.h"
#include "store/records/evict.h"
#include "store/spool/spool.h"

#include <errno.h>

/* A claim without an answer is of use to the next try for about as long. */
#define CLAIM_AGE_US (INT64_C(24) * 3600 * 1000000)

int idem_store_stats(struct idem_store *store, struct idem_stats *out, struct idem_error *error)
{
  struct reader *reader;
  int rc = -EIO;
  struct engine *engine = store_engine(store, &rc, error);
  *out = (struct idem_stats){.capacity = store->size, .since_us = store->stats->since_us};
  for (unsigned i = 0; i < IDEM_COUNTER_COUNT; i++)
    out->counter[i] = stats_sum(store->stats, (enum idem_counter)i);
  if (!engine || (rc = engine_begin(engine, &reader, error)) < 0)
    return rc;
  out->answers = reader->snapshot.tree[PAGES_ANSWERS].entries;
  out->answer_bytes = pages_bytes(engine_pages(engine), &reader->snapshot);
  engine_end(reader);
  return 0;
}

struct gc {
  struct idem_store *store;
  struct engine *engine;
  struct idem_error *error;
  struct evicted swept;
  void (*progress)(void *arg, uint64_t done, uint64_t total);
  void *arg;
  uint64_t total;
};

/* Runs one kind of sweep until it finds nothing more. */
static int gc_repeat(struct gc *gc, int (*sweep)(struct gc *gc))
{
  int dropped;
  while ((dropped = sweep(gc)) > 0)
    if (gc->progress)
      gc->progress(gc->arg, gc->swept.answers, gc->swept.answers > gc->total ? gc->swept.answers : gc->total);
  return dropped;
}

static int gc_expired(struct gc *gc)
{
  return evict_expired(gc->store, gc->engine, &gc->swept, gc->error);
}

static int gc_seen(struct gc *gc)
{
  return evict_seen(gc->engine, &gc->swept, gc->error);
}

static int gc_claims(struct gc *gc)
{
  return evict_claims(gc->store, gc->engine, CLAIM_AGE_US, &gc->swept, gc->error);
}

static int gc_total(struct gc *gc)
{
  struct reader *reader;
  int rc = engine_begin(gc->engine, &reader, gc->error);
  if (rc < 0)
    return rc;
  gc->total = reader->snapshot.tree[PAGES_ANSWERS].entries;
  engine_end(reader);
  return 0;
}

int idem_store_gc(struct idem_store *store, struct idem_gc *out,
                  void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                  struct idem_error *error)
{
  struct gc gc = {.store = store, .error = error, .progress = progress, .arg = arg};
  struct quiet quiet = quiet_begin();
  int rc = -EIO;
  *out = (struct idem_gc){0};
  gc.engine = store_engine(store, &rc, error);
  if (gc.engine) {
    out->readers = (uint64_t)engine_clear_readers(gc.engine);
    spool_sweep(store);
    rc = gc_total(&gc);
  }
  if (rc == 0)
    rc = gc_repeat(&gc, gc_expired);
  if (rc == 0)
    rc = gc_repeat(&gc, gc_seen);
  if (rc == 0)
    rc = gc_repeat(&gc, gc_claims);
  out->removed = gc.swept.answers;
  out->bytes = gc.swept.bytes;
  out->claims = gc.swept.claims;
  quiet_end(&quiet);
  return rc;
}
