/* SPDX-License-Identifier: MIT */
/* The engine's write transactions, and what LMDB's failures become. */
#include "store/lmdb/engine.h"

#include "store/base/process.h"
#include "store/lmdb/engine_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static __thread jmp_buf *landing;

void engine_assert_failed(MDB_env *env, const char *what)
{
  (void)env;
  (void)what;
  if (landing)
    longjmp(*landing, 1);
}

int engine_guard(int (*body)(void *arg), void *arg)
{
  jmp_buf here, *volatile outer = landing;
  volatile int rc = -EILSEQ;
  landing = &here;
  if (!setjmp(here))
    rc = body(arg);
  landing = outer;
  return rc;
}

int engine_code(int rc)
{
  switch (rc) {
  case MDB_MAP_FULL:
  case MDB_TXN_FULL:
    return -ENOSPC;
  case MDB_READERS_FULL:
    return -EBUSY;
  case MDB_MAP_RESIZED:
    return -EFBIG;
  case MDB_VERSION_MISMATCH:
    return -EPROTO;
  case MDB_NOTFOUND:
    return -ENOENT;
  default:
    return rc >= MDB_KEYEXIST && rc <= MDB_LAST_ERRCODE ? -EILSEQ : -rc;
  }
}

int engine_fail(struct idem_error *error, int code, const char *doing)
{
  static const struct {
    int code;
    const char *why;
  } known[] = {
      {-ENOSPC, "the store or its disk is full"},
      {-EIO, "a write came to nothing; the disk is full or failing"},
      {-EBUSY, "too many threads read the store at once (the limit is 2048)"},
      {-EFBIG, "the store has outgrown the address space or file size limit of this process"},
      {-EPROTO, "the store is of another version"},
      {-EILSEQ, "the store is damaged (idemshim verify says where; without its directory it starts anew)"},
      {-EBADF, "the app has closed the store's descriptors"},
  };
  for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
    if (code == known[i].code)
      return idem_error_set(error, code, "%s: %s", doing, known[i].why);
  char text[128];
  return idem_error_set(error, code, "%s: %s", doing, strerror_r(-code, text, sizeof(text)));
}

bool engine_is_ours(const struct engine *engine)
{
  return engine->life == process_generation();
}

uint64_t engine_map_size(const struct engine *engine)
{
  return engine->pages.map_size;
}

struct pages *engine_pages(struct engine *engine)
{
  return &engine->pages;
}

int engine_clear_readers(struct engine *engine)
{
  int dead = 0;
  mdb_reader_check(engine->env, &dead);
  return dead;
}

/* Writing. */

struct writer {
  struct engine *engine;
  MDB_txn *txn;
  struct pages_snapshot before;
  int (*body)(struct writer *writer, void *arg);
  void *arg;
  bool asserted; /* LMDB has given up half way */
};

/* An app that closes descriptors it does not know, as a daemon does when it starts, may have given the number
 * of LMDB's to a file of its own, which LMDB would then write to. */
static int still_ours(const struct engine *engine)
{
  struct stat stat;
  bool same =
      fstat(engine->pages.fd, &stat) == 0 && stat.st_ino == engine->inode && stat.st_dev == engine->device;
  return same ? 0 : -EBADF;
}

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
  if (fstat(engine->pages.fd, &stat) < 0)
    return -errno;
  if ((uint64_t)stat.st_size >= needed)
    return 0;
  return ftruncate(engine->pages.fd, (off_t)needed) < 0 ? -errno : 0;
}

/* LMDB follows what the last commit has left; it must be sound before anything is changed. */
static int check_before(struct writer *writer)
{
  struct engine *engine = writer->engine;
  int rc = engine->write_checked ? 0 : fill_up(engine);
  if (rc == 0)
    rc = pages_copy_roots(&engine->pages, mdb_txn_id(writer->txn) - 1, &writer->before);
  if (rc == 0)
    rc = pages_find_trees(&engine->pages, &writer->before);
  if (rc == 0 && engine->has_slot && writer->before.found != PAGES_TREES)
    rc = -EILSEQ;
  if (rc == 0)
    rc = pages_check_main(&engine->pages, &writer->before);
  if (rc == 0 && !engine->write_checked)
    rc = pages_check_free(&engine->pages, &writer->before);
  if (rc == 0)
    engine->write_checked = true;
  return rc == -EAGAIN ? -EILSEQ : rc;
}

static int write_and_commit(struct writer *writer)
{
  int rc = still_ours(writer->engine);
  if (rc == 0)
    rc = engine_code(mdb_txn_begin(writer->engine->env, NULL, 0, &writer->txn));
  if (rc == 0)
    rc = check_before(writer);
  if (rc == 0)
    rc = writer->body(writer, writer->arg);
  if (rc < 0)
    return rc;
  int committed = engine_code(mdb_txn_commit(writer->txn));
  writer->txn = NULL;
  return committed < 0 ? committed : rc;
}

static int run(void *arg)
{
  struct writer *writer = arg;
  int rc = write_and_commit(writer);
  writer->asserted = false;
  return rc;
}

int engine_write(struct engine *engine, int (*body)(struct writer *writer, void *arg), void *arg,
                 struct idem_error *error)
{
  struct writer writer = {.engine = engine, .body = body, .arg = arg, .asserted = true};
  int rc = engine->broken ? -EILSEQ : engine_guard(run, &writer);
  /* After an assertion the transaction lists cursors of frames that are gone: to end it would free them. */
  if (writer.txn && writer.asserted)
    engine->broken = true;
  else if (writer.txn)
    mdb_txn_abort(writer.txn);
  return rc < 0 ? engine_fail(error, rc, "cannot write to the store") : rc;
}

MDB_txn *writer_txn(struct writer *writer)
{
  return writer->txn;
}

uint64_t writer_number(const struct writer *writer)
{
  return mdb_txn_id(writer->txn);
}

int writer_get(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len,
               struct idem_span *value)
{
  return pages_get(&writer->engine->pages, &writer->before, tree, key, key_len, value);
}

int writer_each(struct writer *writer, enum pages_tree tree, const struct idem_span *from, pages_visit *visit,
                void *arg)
{
  return pages_each(&writer->engine->pages, &writer->before, tree, from, visit, arg);
}

int writer_reserve(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len, size_t len,
                   void **value)
{
  MDB_val name = {key_len, (void *)(uintptr_t)key}, data = {len, NULL};
  int rc = pages_check(&writer->engine->pages, &writer->before, tree, key, key_len);
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

int writer_delete(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len)
{
  MDB_val name = {key_len, (void *)(uintptr_t)key};
  int rc = pages_check(&writer->engine->pages, &writer->before, tree, key, key_len);
  if (rc == 0)
    rc = engine_code(mdb_del(writer->txn, writer->engine->tree[tree], &name, NULL));
  return rc == -ENOENT ? 0 : rc;
}

uint64_t writer_bytes(const struct writer *writer)
{
  return pages_bytes(&writer->engine->pages, &writer->before);
}

uint64_t writer_entries(const struct writer *writer, enum pages_tree tree)
{
  return writer->before.tree[tree].entries;
}
