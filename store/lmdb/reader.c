/* SPDX-License-Identifier: MIT */
/*
 * The engine's readers. A thread keeps one in a slot of its own and renews it for each lookup, which costs a
 * store into the thread's line of LMDB's reader table and no lock. Its roots stay, as long as nobody commits.
 */
#include "config/old_glibc.h"
#include "store/base/process.h"
#include "store/base/stats.h"
#include "store/lmdb/engine_internal.h"

#include <errno.h>
#include <stdlib.h>

enum { READER_TRIES = 100 };

/* A reader table that is full may be full of the dead: clearing them is tried once. */
static int reader_new(struct engine *engine, struct reader **out)
{
  struct reader *reader = calloc(1, sizeof(*reader));
  MDB_txn *txn;
  int rc = reader ? mdb_txn_begin(engine->env, NULL, MDB_RDONLY, &txn) : ENOMEM;
  if (rc == MDB_READERS_FULL && engine_clear_readers(engine) > 0)
    rc = mdb_txn_begin(engine->env, NULL, MDB_RDONLY, &txn);
  if (rc) {
    free(reader);
    return engine_begun(engine, rc);
  }
  mdb_txn_reset(txn);
  reader->engine = engine;
  reader->txn = txn;
  reader->shard = stats_shard();
  pthread_mutex_lock(&process_lock_lists);
  reader->next = engine->readers;
  if (reader->next)
    reader->next->previous = reader;
  engine->readers = reader;
  pthread_mutex_unlock(&process_lock_lists);
  *out = reader;
  return 0;
}

static void reader_free(struct reader *reader)
{
  pthread_mutex_lock(&process_lock_lists);
  if (reader->previous)
    reader->previous->next = reader->next;
  else
    reader->engine->readers = reader->next;
  if (reader->next)
    reader->next->previous = reader->previous;
  pthread_mutex_unlock(&process_lock_lists);
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

/* When the engine is closed. Nobody reads any more, in whatever thread. */
void reader_free_all(struct engine *engine)
{
  while (engine->readers)
    reader_free(engine->readers);
}

/*
 * Begins the transaction and finds its roots, unless they are those of the last time. What was copied in one
 * round holds if the next one begins with the same transaction; while commits rush by, that takes a few
 * rounds.
 */
static int reader_renew(struct reader *reader)
{
  struct pages_snapshot fresh; /* not zeroed: it is long, and seldom needed */
  fresh.txn = 0;
  for (int i = 0; i < READER_TRIES; i++) {
    int rc = engine_begun(reader->engine, mdb_txn_renew(reader->txn));
    if (rc < 0)
      return rc;
    uint64_t number = mdb_txn_id(reader->txn);
    if (number == reader->snapshot.txn)
      return 0;
    if (number == fresh.txn) {
      reader->snapshot.txn = 0;
      rc = pages_find_trees(&fresh);
      if (rc == 0)
        reader->snapshot = fresh;
      else
        mdb_txn_reset(reader->txn);
      return rc;
    }
    if (pages_copy_roots(&reader->engine->pages, number, &fresh) < 0)
      fresh.txn = 0;
    mdb_txn_reset(reader->txn);
  }
  return -EILSEQ;
}

/* A call inside a call, from a callback of the app, finds its thread's reader busy and gets one for
 * itself. */
int reader_begin(struct engine *engine, struct reader **out, struct idem_error *error)
{
  struct reader *reader = pthread_getspecific(engine->slot);
  int rc = 0;
  if (!reader || reader->busy) {
    bool second = reader;
    rc = reader_new(engine, &reader);
    /* Without room for the slot it is used once. */
    if (rc == 0)
      reader->lone = second || pthread_setspecific(engine->slot, reader) != 0;
  }
  if (rc == 0 && (rc = reader_renew(reader)) < 0 && reader->lone)
    reader_free(reader);
  if (rc < 0)
    return engine_fail(error, rc, "cannot read the store");
  reader->busy = reader->pinned = true;
  reader->holds = engine_hold_stops(engine, &reader->stops);
  *out = reader;
  return 0;
}

/* The transaction is reset and kept: the next renewal takes the same slot of the table. Also of an engine
 * that was abandoned meanwhile, so that its pages can be used again; not of one of another life. */
void reader_unpin(struct reader *reader)
{
  if (!reader || !reader->pinned)
    return;
  const struct engine *engine = reader->engine;
  reader->pinned = false;
  if (engine_is_ours(engine) || (engine->has_table && engine->born == process_generation()))
    mdb_txn_reset(reader->txn);
  if (reader->holds)
    sigprocmask(SIG_SETMASK, &reader->stops, NULL);
  reader->holds = false;
}

void reader_end(struct reader *reader)
{
  reader_unpin(reader);
  if (!reader)
    return;
  reader->busy = false;
  if (reader->lone && engine_is_ours(reader->engine))
    reader_free(reader);
}
