/* SPDX-License-Identifier: MIT */
/*
 * Write transactions. LMDB follows what the last commit has left, on trust, so it must be sound before
 * anything is changed: what every write goes through is checked when the transaction begins, and the path to
 * a key before it is put or deleted. Before the first write of a process the free list is; on a snapshot, so
 * that nobody waits for that.
 */
#include "config/kernel.h"
#include "store/base/fd.h"
#include "store/lmdb/engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A transaction from writer_run() down to its body. */
struct run {
  struct writer writer;
  writer_body *body;
  void *arg;
  bool asserted; /* LMDB has given up half way */
};

/* A file shorter than its last page has lost something, or that page was never written: LMDB leaves out pages
 * that a transaction took and gave back. Zeros there are found to be no page; a file that ends is a SIGBUS.
 */
static int fill_up(struct engine *engine)
{
  MDB_envinfo info;
  struct stat stat;
  mdb_env_info(engine->env, &info);
  if (info.me_last_pgno >= engine->pages.map_size / engine->pages.page_size)
    return -EILSEQ;
  uint64_t needed = (info.me_last_pgno + 1) * engine->pages.page_size;
  if (idem_fstat(engine->pages.fd, &stat) < 0)
    return -errno;
  bool fits = (uint64_t)stat.st_size >= needed;
  return fits || ftruncate(engine->pages.fd, (off_t)needed) == 0 ? 0 : -errno;
}

/* To drop something takes pages before it gives any. So much of the disk is kept behind the last page that
 * `rm`, `gc` and a commit which makes its own room go on where nothing is left; what is in use then is less
 * than the file by half of that. */
static void keep_reserve(struct engine *engine)
{
  enum { RESERVE = 1 << 20 };
  MDB_envinfo info;
  mdb_env_info(engine->env, &info);
  uint64_t end = (info.me_last_pgno + 1) * engine->pages.page_size, most = end + RESERVE;
  bool has =
      end + RESERVE / 2 <= engine->reserved || most > engine->pages.map_size || !idem_file_may_have(most);
  bool kept = !has && fallocate(engine->pages.fd, FALLOC_FL_KEEP_SIZE, (off_t)end, RESERVE) == 0;
  if (kept)
    engine->reserved = most;
  bool is_full = !has && !kept && (errno == ENOSPC || errno == EDQUOT);
  engine->capacity = !is_full ? 0 : end > RESERVE ? end - RESERVE / 2 : RESERVE / 2;
}

uint64_t writer_capacity(const struct engine *engine)
{
  return engine->capacity;
}

/* The roots are those of the last commit: this transaction has changed nothing yet. Pages of the file may
 * be written only by who holds this lock, so that what was found to be sound stays so. */
static int check_before(struct writer *writer)
{
  struct engine *engine = writer->engine;
  int rc = engine->filled_up ? 0 : fill_up(engine);
  engine->filled_up = rc == 0;
  if (rc == 0)
    rc = pages_copy_roots(&engine->pages, mdb_txn_id(writer->txn) - 1, &writer->before);
  if (rc == 0)
    rc = pages_find_trees(&writer->before);
  if (rc == 0 && engine->has_slot && writer->before.found != PAGES_TREES)
    rc = -EILSEQ;
  if (rc == 0)
    rc = pages_check_main(&writer->before);
  if (rc == 0 && !engine->write_checked)
    rc = pages_check_free(&writer->before);
  if (rc == 0)
    engine->write_checked = true;
  return rc == -EAGAIN ? -EILSEQ : rc;
}

/* A tree's handle is of the environment and good for every later transaction, if this one is committed. Only
 * who writes needs them, and LMDB goes over them all whenever a transaction begins and ends: a process that
 * has written nothing is spared 200 instructions with each hit. */
static int open_trees(struct engine *engine, MDB_txn *txn)
{
  int rc = 0;
  for (unsigned i = 0; i < PAGES_TREES && rc == 0 && !engine->has_trees; i++)
    rc = engine_code(mdb_dbi_open(txn, pages_names[i], MDB_CREATE, &engine->tree[i]));
  return rc;
}

/* The return of a body that is above 0 is for its caller, and kept over the commit. */
static int write_and_commit(struct run *run)
{
  struct writer *writer = &run->writer;
  struct engine *engine = writer->engine;
  MDB_txn *txn;
  /* Whoever was in the gate before us may have left it like that, and what comes next goes to another one. */
  if (engine->spent)
    return -ENOTRECOVERABLE;
  /* The gate has just asked for the data file itself. */
  if (!engine->gate.has_file || !engine_has_others(engine))
    return -EBADF;
  /* The app has set a limit since the map was chosen. */
  if (!idem_file_may_have(engine->pages.map_size))
    return -EFBIG;
  keep_reserve(engine);
  int rc = engine_begun(engine, mdb_txn_begin(engine->env, NULL, 0, &txn));
  if (rc < 0)
    return rc;
  writer->txn = txn;
  rc = check_before(writer);
  if (rc == 0)
    rc = open_trees(engine, txn);
  if (rc == 0)
    rc = run->body(writer, run->arg);
  if (rc < 0)
    return rc;
  int committed = engine_code(mdb_txn_commit(txn));
  writer->txn = NULL;
  engine->has_trees |= committed == 0;
  /* The end of a disk cuts a write short, which LMDB takes for a failure of it. */
  if (committed == -EIO && engine->capacity)
    committed = -ENOSPC;
  return committed < 0 ? committed : rc;
}

/* Comes to its second line unless an assertion has jumped over it. */
static int run_guarded(void *arg)
{
  struct run *run = arg;
  int rc = write_and_commit(run);
  run->asserted = false;
  return rc;
}

/* What a snapshot has is not written over while it is pinned. -EILSEQ; everything else is
 * found under the lock. */
static int check_snapshot(struct engine *engine)
{
  struct reader *reader;
  if (engine->write_checked || !engine->has_slot || reader_begin(engine, &reader, NULL) < 0)
    return 0;
  int rc = pages_check_free(&reader->snapshot);
  reader_end(reader);
  engine->write_checked = rc == 0;
  return rc == -EILSEQ ? rc : 0;
}

/* After an assertion LMDB's lock is this thread's, and its transaction cannot be ended: that would free
 * cursors of frames that are gone. Nothing of it is in the file, so the lock is let go as it is: a mutex that
 * ends the head of the lock file, behind LMDB's magic number, format, mutex of readers, last transaction and
 * count of readers, each at the start of a line of the cache [mdb.c 0.9.x, MDB_txninfo]. It is left alone
 * unless it says that this thread has it. */
static bool let_go(struct engine *engine)
{
  enum { LINE = 64, PAGE = 4096 };
  struct head {
    uint32_t magic, format;
    pthread_mutex_t readers;
    size_t txn;
    unsigned count;
  };
  int fd = fd_number(engine->kept[ENGINE_LOCK]);
  char *map = fd < 0 ? MAP_FAILED : mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return false;
  pthread_mutex_t *mutex = (void *)(map + (sizeof(struct head) + LINE - 1) / LINE * LINE);
  bool ours = ((uint32_t)mutex->__data.__lock & FUTEX_TID_MASK) == (uint32_t)syscall(SYS_gettid) &&
              pthread_mutex_unlock(mutex) == 0;
  munmap(map, PAGE);
  return ours;
}

/* A transaction that ended well, or that LMDB refused to begin, leaves `txn` NULL. If LMDB's lock cannot be
 * let go after an assertion, the gate stays shut until this process ends, so that nobody waits for it. */
int writer_run_job(struct engine *engine, const struct writer_job *job, struct idem_error *error)
{
  struct run run = {.writer.engine = engine, .body = job->body, .arg = job->arg, .asserted = true};
  sigset_t before;
  int after;
  int rc = engine->stuck ? -ENOTRECOVERABLE : engine->given_back ? -EMFILE : check_snapshot(engine);
  if (rc < 0)
    return engine_fail(error, rc, "cannot write to the store");
  rc = gate_enter(&engine->gate, engine, job, error);
  if (rc < 0)
    return rc;
  bool holds = engine_hold_stops(engine, &before);
  rc = engine_guard(run_guarded, &run);
  if (run.asserted) {
    engine->stuck = !let_go(engine);
    engine->spent = true;
  } else if (run.writer.txn) {
    mdb_txn_abort(run.writer.txn);
  }
  if (job->done && (after = job->done(engine, rc, job->arg)) < 0 && rc >= 0)
    rc = after;
  if (!engine->stuck)
    gate_leave(&engine->gate, engine);
  if (holds)
    sigprocmask(SIG_SETMASK, &before, NULL);
  return rc < 0 ? engine_fail(error, rc, "cannot write to the store") : rc;
}

int writer_run(struct engine *engine, writer_body *body, void *arg, struct idem_error *error)
{
  struct writer_job job = {.body = body, .arg = arg};
  return writer_run_job(engine, &job, error);
}

int writer_flush(struct engine *engine)
{
  return engine_code(mdb_env_sync(engine->env, 1));
}

uint64_t writer_number(const struct writer *writer)
{
  return mdb_txn_id(writer->txn);
}

/* The path is checked against what was there before: pages that this transaction has made itself are
 * LMDB's own, in memory. */
int writer_reserve(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len, size_t len,
                   void **value)
{
  MDB_val name = {key_len, (void *)(uintptr_t)key}, data = {len, NULL};
  writer->sound.deletes = false;
  int rc = pages_check(&writer->before, tree, key, key_len, &writer->sound);
  if (rc == 0)
    rc = engine_code(mdb_put(writer->txn, writer->engine->tree[tree], &name, &data, MDB_RESERVE));
  *value = data.mv_data;
  return rc;
}

int writer_put(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len,
               const void *value, size_t len)
{
  void *place;
  int rc = writer_reserve(writer, tree, key, key_len, len, &place);
  if (rc == 0)
    memcpy(place, value, len);
  return rc;
}

/* What this transaction has deleted already is not there: 0 as well. */
int writer_delete(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len)
{
  MDB_val name = {key_len, (void *)(uintptr_t)key};
  writer->sound.deletes = true;
  int rc = pages_check(&writer->before, tree, key, key_len, &writer->sound);
  if (rc == 0)
    rc = engine_code(mdb_del(writer->txn, writer->engine->tree[tree], &name, NULL));
  return rc == -ENOENT ? 0 : rc;
}
