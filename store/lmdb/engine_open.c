/* SPDX-License-Identifier: MIT */
/* Opens the environment so that nothing in it can hurt the app: no write past a limit, no hole under a map,
 * no low descriptor. */
#include "store/lmdb/engine.h"

#include "store/base/fd.h"
#include "store/base/process.h"
#include "store/lmdb/engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB       (UINT64_C(1) << 20)
#define MAP_LEAST (64 * MIB)

enum { READERS = 2048, LOCK_BYTES = (READERS + 2) * 64 };

/* Deletions copy pages before they free any, so the map is larger than what the answers may take. */
static uint64_t map_size_wanted(uint64_t size, uint64_t page)
{
  uint64_t wanted = size + size / 8 + 8 * MIB;
  if (wanted < size)
    wanted = size;
  return wanted / page * page;
}

static uint64_t limit_of(__rlimit_resource_t resource)
{
  struct rlimit limit;
  return getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

/* A write past RLIMIT_FSIZE raises SIGXFSZ in the app; a map as large as RLIMIT_AS leaves it no memory. */
static int map_size_allowed(uint64_t wanted, uint64_t have, uint64_t *out, struct idem_error *error)
{
  uint64_t file = limit_of(RLIMIT_FSIZE), space = limit_of(RLIMIT_AS) / 8;
  uint64_t allowed = wanted < file ? wanted : file;
  if (allowed > space)
    allowed = space;
  if (allowed < have)
    allowed = have;
  if (allowed > file || allowed < 2 * MIB)
    return idem_error_set(
        error, -EFBIG,
        "the file size limit (ulimit -f, %llu bytes) or address space limit (ulimit -v) of this process is "
        "too small for the store",
        (unsigned long long)file);
  *out = allowed;
  return 0;
}

/* Makes the lock file as large as it will be: LMDB would leave a hole, and a hole in a map is a SIGBUS on a
 * full disk. */
static int allocate_locks(const char *dir)
{
  char path[PATH_MAX];
  snprintf(path, sizeof(path), "%s/lock.mdb", dir);
  int fd = fd_open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0)
    return fd;
  struct stat stat;
  int rc = fstat(fd, &stat) < 0 ? -errno : 0;
  off_t size = stat.st_size > LOCK_BYTES ? stat.st_size : LOCK_BYTES;
  if (rc == 0)
    rc = -posix_fallocate(fd, 0, size);
  close(fd);
  return rc;
}

/* How large the data file is; -EILSEQ if LMDB would follow its first pages out of it. */
static int check_data(const char *dir, uint64_t *size)
{
  char path[PATH_MAX];
  struct stat data;
  snprintf(path, sizeof(path), "%s/data.mdb", dir);
  *size = 0;
  int fd = fd_open(path, O_RDWR, 0);
  if (fd < 0)
    return fd == -ENOENT ? 0 : fd;
  int rc = fstat(fd, &data) < 0 ? -errno : pages_check_header(fd);
  *size = (uint64_t)data.st_size;
  close(fd);
  return rc;
}

static int env_open_once(struct engine *engine, const struct engine_options *options, uint64_t map)
{
  int rc = mdb_env_create(&engine->env);
  if (rc)
    return engine_code(rc);
  mdb_env_set_maxdbs(engine->env, PAGES_TREES);
  mdb_env_set_mapsize(engine->env, map);
  mdb_env_set_maxreaders(engine->env, READERS);
  mdb_env_set_assert(engine->env, engine_assert_failed);
  unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (options->sync ? 0 : MDB_NOSYNC);
  rc = mdb_env_open(engine->env, options->dir, flags, 0600);
  if (rc) {
    mdb_env_close(engine->env);
    engine->env = NULL;
  }
  return engine_code(rc);
}

struct opening {
  struct engine *engine;
  const struct engine_options *options;
  uint64_t map, have;
};

/* Where address space is limited, a smaller map does. */
static int env_open(void *arg)
{
  struct opening *opening = arg;
  int rc = env_open_once(opening->engine, opening->options, opening->map);
  while (rc == -ENOMEM && opening->map / 2 >= MAP_LEAST && opening->map / 2 >= opening->have) {
    opening->map = opening->map / 2 / 4096 * 4096;
    rc = env_open_once(opening->engine, opening->options, opening->map);
  }
  return rc;
}

static int adopt_file(struct engine *engine)
{
  MDB_envinfo info;
  int fd;
  struct stat stat;
  mdb_env_info(engine->env, &info);
  mdb_env_get_fd(engine->env, &fd);
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fstat(fd, &stat) < 0)
    return -errno;
  engine->inode = stat.st_ino;
  engine->device = stat.st_dev;
  return pages_open(&engine->pages, fd, info.me_mapsize);
}

static int open_trees(struct engine *engine, MDB_txn *txn, unsigned flags)
{
  int rc = 0;
  for (unsigned i = 0; i < PAGES_TREES && rc == 0; i++)
    rc = engine_code(mdb_dbi_open(txn, pages_names[i], flags, &engine->tree[i]));
  return rc;
}

static int make_trees(struct writer *writer, void *arg)
{
  return open_trees(arg, writer_txn(writer), MDB_CREATE);
}

/* The usual case, without the write lock. Roots that a commit has torn meanwhile fail the check, and the lock
 * is taken. */
static int find_trees(void *arg)
{
  struct engine *engine = arg;
  MDB_txn *txn;
  int rc = engine_code(mdb_txn_begin(engine->env, NULL, MDB_RDONLY, &txn));
  if (rc < 0)
    return rc;
  struct pages_snapshot now;
  rc = pages_copy_roots(&engine->pages, mdb_txn_id(txn), &now);
  if (rc == 0)
    rc = pages_find_trees(&engine->pages, &now);
  if (rc == 0)
    rc = pages_check_main(&engine->pages, &now);
  if (rc == 0)
    rc = open_trees(engine, txn, 0);
  if (rc == 0)
    return engine_code(mdb_txn_commit(txn));
  mdb_txn_abort(txn);
  return rc;
}

static int engine_start(struct engine *engine, const struct engine_options *options, struct idem_error *error)
{
  struct opening opening = {.engine = engine, .options = options};
  int rc = check_data(options->dir, &opening.have);
  if (rc == 0)
    rc = allocate_locks(options->dir);
  if (rc < 0)
    return engine_fail(error, rc, options->dir);
  rc = map_size_allowed(map_size_wanted(options->size, 4096), opening.have, &opening.map, error);
  if (rc < 0)
    return rc;
  rc = engine_guard(env_open, &opening);
  if (rc == 0)
    rc = adopt_file(engine);
  if (rc == 0 && engine_guard(find_trees, engine) < 0)
    rc = engine_write(engine, make_trees, engine, NULL);
  if (rc == 0 && (rc = -pthread_key_create(&engine->slot, reader_end_thread)) == 0)
    engine->has_slot = true;
  return rc < 0 ? engine_fail(error, rc, options->dir) : 0;
}

int engine_open(struct engine **out, const struct engine_options *options, struct idem_error *error)
{
  struct engine *engine = calloc(1, sizeof(*engine));
  if (!engine)
    return idem_error_set(error, -ENOMEM, "%s: no memory", options->dir);
  engine->life = process_generation();
  struct fd_parked parked = fd_park();
  int rc = engine_start(engine, options, error);
  fd_unpark(&parked);
  if (rc < 0) {
    engine_close(engine);
    return rc;
  }
  *out = engine;
  return 0;
}

void engine_close(struct engine *engine)
{
  if (!engine || !engine_is_ours(engine))
    return;
  if (engine->has_slot)
    pthread_key_delete(engine->slot);
  reader_free_all(engine);
  pages_close(&engine->pages);
  if (engine->env)
    mdb_env_close(engine->env);
  free(engine);
}
