/* SPDX-License-Identifier: MIT */
/* The engine's readers: one read transaction for each thread, renewed for each lookup. */
#include "store/lmdb/engine.h"

#include "store/base/process.h"
#include "store/base/stats.h"
#include "store/lmdb/engine_internal.h"

#include <errno.h>
#include <stdlib.h>

enum { READER_TRIES = 100 };

static void list_add(struct engine *engine, struct reader *reader)
{
  pthread_mutex_lock(&process_lock_lists);
  reader->next = engine->readers;
  if (reader->next)
    reader->next->previous = reader;
  engine->readers = reader;
  pthread_mutex_unlock(&process_lock_lists);
}

static void list_remove(struct engine *engine, struct reader *reader)
{
  pthread_mutex_lock(&process_lock_lists);
  if (reader->previous)
    reader->previous->next = reader->next;
  else
    engine->readers = reader->next;
  if (reader->next)
    reader->next->previous = reader->previous;
  pthread_mutex_unlock(&process_lock_lists);
}

/* A transaction in `txn`, idle. */
static int txn_new(struct engine *engine, MDB_txn **txn)
{
  int rc = mdb_txn_begin(engine->env, NULL, MDB_RDONLY, txn);
  if (rc == MDB_READERS_FULL && engine_clear_readers(engine) > 0)
    rc = mdb_txn_begin(engine->env, NULL, MDB_RDONLY, txn);
  if (rc == 0)
    mdb_txn_reset(*txn);
  return engine_code(rc);
}

static int reader_new(struct engine *engine, struct reader **out)
{
  struct reader *reader = calloc(1, sizeof(*reader));
  MDB_txn *txn;
  int rc = reader ? txn_new(engine, &txn) : -ENOMEM;
  if (rc < 0) {
    free(reader);
    return rc;
  }
  reader->engine = engine;
  reader->txn = txn;
  reader->shard = stats_shard();
  list_add(engine, reader);
  *out = reader;
  return 0;
}

static void reader_free(struct reader *reader)
{
  list_remove(reader->engine, reader);
  mdb_txn_abort(reader->txn);
  free(reader);
}

void reader_end_thread(void *arg)
{
  struct reader *reader = arg;
  /* One that a child has inherited belongs to an environment that must not be touched. A pinned one is freed
   * when it is left. */
  if (!engine_is_ours(reader->engine))
    return;
  if (reader->busy)
    reader->lone = true;
  else
    reader_free(reader);
}

void reader_free_all(struct engine *engine)
{
  while (engine->readers)
    reader_free(engine->readers);
}

static int reader_pick(struct engine *engine, struct reader **out)
{
  struct reader *mine = pthread_getspecific(engine->slot);
  if (mine && !mine->busy) {
    *out = mine;
    return 0;
  }
  int rc = reader_new(engine, out);
  if (rc < 0)
    return rc;
  /* Without room for the slot it is used once. */
  (*out)->lone = mine || pthread_setspecific(engine->slot, *out) != 0;
  return 0;
}

/*
 * Begins the transaction and finds its roots, unless they are those of the last time. What was copied in one
 * round holds if the next one begins with the same transaction; while commits rush by, that takes a few
 * rounds.
 */
static int reader_renew(struct reader *reader)
{
  struct pages *pages = &reader->engine->pages;
  struct pages_snapshot fresh; /* not zeroed: it is long, and seldom needed */
  fresh.txn = 0;
  for (int i = 0; i < READER_TRIES; i++) {
    int rc = engine_code(mdb_txn_renew(reader->txn));
    if (rc < 0)
      return rc;
    uint64_t number = mdb_txn_id(reader->txn);
    if (number == reader->snapshot.txn)
      return 0;
    if (number == fresh.txn) {
      reader->snapshot.txn = 0;
      rc = pages_find_trees(pages, &fresh);
      if (rc == 0)
        reader->snapshot = fresh;
      else
        mdb_txn_reset(reader->txn);
      return rc;
    }
    rc = pages_copy_roots(pages, number, &fresh);
    if (rc < 0)
      fresh.txn = 0;
    mdb_txn_reset(reader->txn);
  }
  return -EILSEQ;
}

int engine_begin(struct engine *engine, struct reader **out, struct idem_error *error)
{
  int rc = reader_pick(engine, out);
  if (rc == 0) {
    rc = reader_renew(*out);
    if (rc == 0)
      (*out)->busy = true;
    else if ((*out)->lone)
      reader_free(*out);
  }
  return rc < 0 ? engine_fail(error, rc, "cannot read the store") : 0;
}

void engine_end(struct reader *reader)
{
  if (!reader || !engine_is_ours(reader->engine))
    return;
  mdb_txn_reset(reader->txn);
  reader->busy = false;
  if (reader->lone)
    reader_free(reader);
}

int reader_get(struct reader *reader, enum pages_tree tree, const void *key, size_t key_len,
               struct idem_span *value)
{
  return pages_get(&reader->engine->pages, &reader->snapshot, tree, key, key_len, value);
}

int reader_each(struct reader *reader, enum pages_tree tree, const struct idem_span *from, pages_visit *visit,
                void *arg)
{
  return pages_each(&reader->engine->pages, &reader->snapshot, tree, from, visit, arg);
}
