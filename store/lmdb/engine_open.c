/* SPDX-License-Identifier: MIT */
/*
 * Opens the environment so that nothing in it can hurt the app: no write past a limit, no hole under a map,
 * no low descriptor. It is above readers and writers: a new store's trees are made by a writer.
 */
#include "config/kernel.h"
#include "config/old_glibc.h"
#include "store/base/clock.h"
#include "store/base/fd.h"
#include "store/base/process.h"
#include "store/lmdb/engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* MAP_LEAST is as far as a map is halved where address space is short. */
#define MIB       (UINT64_C(1) << 20)
#define MAP_LEAST (64 * MIB)

/* A thread that reads has a line of 64 bytes in the lock file, behind a head of two. */
enum { READERS = 8192, LOCK_BYTES = (READERS + 2) * 64 };

/* How far from LMDB's data file its other two are looked for. */
enum { FAR_MOST = 1024 };

struct opening {
  struct engine *engine;
  const struct engine_options *options;
  uint64_t map;  /* how large it is to be */
  uint64_t have; /* bytes that the data file has */
};

/* UINT64_MAX without a limit, so that it can be compared with. */
static uint64_t limit_of(__rlimit_resource_t resource)
{
  struct rlimit limit;
  return getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

/* A write past RLIMIT_FSIZE raises SIGXFSZ in the app; a map as large as RLIMIT_AS leaves it no memory. */
static int choose_map(struct opening *opening, struct idem_error *error)
{
  uint64_t size = opening->options->size, file = limit_of(RLIMIT_FSIZE), space = limit_of(RLIMIT_AS) / 8;
  /* Deletions copy pages before they free any, so the map is larger than what the answers may take. */
  uint64_t map = size + size / 8 + 8 * MIB;
  map = (map < size ? size : map) / 4096 * 4096;
  if (map > file)
    map = file;
  if (map > space)
    map = space;
  /* Another process has a larger size, and will go on. */
  if (map < opening->have)
    map = opening->have + opening->have / 2 / 4096 * 4096;
  opening->map = map;
  if (map <= file && map >= 2 * MIB)
    return 0;
  return idem_error_set(
      error, -EFBIG,
      "the file size limit (ulimit -f, %llu bytes) or address space limit (ulimit -v) of this process is "
      "too small for the store",
      (unsigned long long)file);
}

static int refuse_format(unsigned format, const char *dir, struct idem_error *error)
{
  if (format)
    return idem_error_set(error, -EPROTO,
                          "%s: data.mdb is of LMDB's format %u, and this idemshim knows format %d", dir,
                          format, PAGES_FORMAT);
  return idem_error_set(error, -EPROTO, "%s: data.mdb was made on a machine of another kind", dir);
}

/* Nothing was ever in it: LMDB writes its first two pages at once and before all else, and whoever did was
 * killed, or had no room for them; or the power was cut when the file had its length and nothing of its
 * content. */
static bool is_cut_short(int fd)
{
  enum { FIRST_PAGES = 2 * 4096, FIRST_COMMIT = 64 * 4096 };
  char bytes[4096];
  struct stat data;
  if (idem_fstat(fd, &data) < 0 || data.st_size > FIRST_COMMIT)
    return false;
  for (off_t at = 0; at < data.st_size && data.st_size >= FIRST_PAGES;) {
    ssize_t n = pread(fd, bytes, sizeof(bytes), at);
    for (ssize_t i = 0; i < n; i++)
      if (bytes[i])
        return false;
    if (n <= 0)
      return false;
    at += n;
  }
  return true;
}

/* Whoever has the environment open has a lock on the lock file, and who makes it one for itself alone: with
 * one of ours nobody does either, in this process too. */
static int make_anew(const struct engine_options *options, int data)
{
  struct flock alone = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
  char path[PATH_MAX];
  snprintf(path, sizeof(path), "%s/lock.mdb", options->dir);
  int fd = fd_open(path, O_RDWR | O_CREAT, 0600);
  bool made = fd >= 0 && fcntl(fd, F_OFD_SETLK, &alone) == 0 && ftruncate(data, 0) == 0;
  if (fd >= 0)
    close(fd);
  return made ? 0 : -EILSEQ;
}

static int64_t patience_us(const struct engine_options *options)
{
  return (options->patience_ms > GATE_MAKING_MS ? options->patience_ms : GATE_MAKING_MS) * INT64_C(1000);
}

static int refuse_opening(const struct engine_options *options, pid_t opener, struct idem_error *error)
{
  char who[32] = "another process";
  if (opener)
    snprintf(who, sizeof(who), "process %d", (int)opener);
  return idem_error_set(error, -ETIMEDOUT, "%s: %s is opening the store and does not go on; is it stopped?",
                        options->dir, who);
}

/* LMDB makes the lock file anew for whoever opens the store while nobody has it, and who comes meanwhile
 * waits in it. If the first is killed then, the second goes on with mutexes that may be half made, and with a
 * last transaction of 0, which is none of the store's. So one process opens at a time, and nobody waits
 * within LMDB. The lock is of the open file, for LMDB closes that of others when it fails, and with it all
 * locks of the process; one of these, on the next byte, tells those who wait who it is and that openings go
 * on. The first byte is the gate's. */
static int begin_opening(int data, const struct engine_options *options, struct idem_error *error)
{
  enum { OPENING = 1, OPENER, NAP_MOST_US = 2000 };
  struct flock opening = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = OPENING, .l_len = 1};
  struct flock opener = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = OPENER, .l_len = 1};
  int64_t patience = patience_us(options), now = clock_steady_us(), until = now + patience,
          most = now + GATE_MOST_MS * INT64_C(1000) + patience;
  pid_t seen = 0;
  for (long us = 50; fcntl(data, F_OFD_SETLK, &opening) < 0; us = us < NAP_MOST_US ? us * 2 : us) {
    struct flock there = opener;
    if (errno != EAGAIN && errno != EACCES)
      return engine_fail(error, -errno, options->dir);
    pid_t now_there = fcntl(data, F_GETLK, &there) == 0 && there.l_type != F_UNLCK ? there.l_pid : 0;
    now = clock_steady_us();
    if (now_there != seen)
      until = now + patience < most ? now + patience : most;
    seen = now_there;
    if (now >= until)
      return refuse_opening(options, seen, error);
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
  }
  fcntl(data, F_SETLK, &opener);
  return 0;
}

/* Unlocked, for a child of another thread may have the open file too. */
static void end_opening(int data)
{
  struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
  fcntl(data, F_OFD_SETLK, &none);
  close(data);
}

/* A descriptor, or -errno with the message. */
static int open_data(const struct engine_options *options, struct idem_error *error)
{
  char path[PATH_MAX];
  snprintf(path, sizeof(path), "%s/data.mdb", options->dir);
  /* Made here, for LMDB would make it as the app's umask says. */
  int fd = fd_open(path, options->read_only ? O_RDONLY : O_RDWR | O_CREAT, 0600);
  if (fd < 0)
    return engine_fail(error, fd, options->dir);
  int rc = options->read_only ? 0 : begin_opening(fd, options, error);
  if (rc == 0)
    return fd;
  close(fd);
  return rc;
}

/* How large the data file is; -EILSEQ if LMDB would follow its first pages out of it. */
static int check_data(int fd, const struct engine_options *options, uint64_t *size, struct idem_error *error)
{
  unsigned format;
  struct stat data;
  int rc = pages_check_header(fd, &format);
  if (rc == -EILSEQ && is_cut_short(fd) && !options->read_only && !options->joins)
    rc = make_anew(options, fd);
  if (rc == 0 && idem_fstat(fd, &data) < 0)
    rc = -errno;
  *size = rc == 0 ? (uint64_t)data.st_size : 0;
  return rc == -EPROTO ? refuse_format(format, options->dir, error)
         : rc < 0      ? engine_fail(error, rc, options->dir)
                       : 0;
}

/* LMDB waits without end while another one has the lock file for itself, as a tool of its own has for a
 * moment, or an idemshim that knows nothing of begin_opening(). It may be stopped, so it is waited for
 * here. */
static int await_opening(int fd, const struct engine_options *options, struct idem_error *error)
{
  for (int64_t end = clock_steady_us() + patience_us(options);;) {
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
    if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
      return 0;
    if (clock_steady_us() >= end)
      return refuse_opening(options, lock.l_pid > 0 ? lock.l_pid : 0, error);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
}

/* By another process: each has a lock on the first byte. */
static bool is_in_use(int fd)
{
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
  return fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

/* Makes the lock file as large as it will be: LMDB would leave a hole, and a hole in a map is a SIGBUS on a
 * full disk. One that joins keeps its descriptor, for to close it would drop the locks that others know our
 * readers by; and a lock on it, without which LMDB would take the file for nobody's, and begin the table of
 * readers anew. */
static int allocate_locks(const struct engine_options *options, struct idem_error *error)
{
  struct flock shared = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
  char path[PATH_MAX];
  struct stat stat;
  snprintf(path, sizeof(path), "%s/lock.mdb", options->dir);
  int fd = fd_open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0)
    return engine_fail(error, fd, options->dir);
  int rc = idem_fstat(fd, &stat) < 0 ? -errno : 0;
  /* Whoever has the store open looks at each place that is taken, and has mapped those that
   * were there when it came. */
  bool grows = rc == 0 && stat.st_size < LOCK_BYTES && (!stat.st_size || !is_in_use(fd));
  if (rc == 0)
    rc = -posix_fallocate(fd, 0, grows ? LOCK_BYTES : stat.st_size);
  rc = rc < 0 ? engine_fail(error, rc, options->dir) : await_opening(fd, options, error);
  if (rc == 0 && options->joins && fcntl(fd, F_OFD_SETLK, &shared) < 0)
    rc = engine_fail(error, -errno, options->dir);
  if (!options->joins)
    close(fd);
  return rc;
}

/* MDB_NOTLS: our readers are bound to threads by our own slot, and one may be held over a thread's other
 * work. MDB_NORDAHEAD: a store is larger than memory sooner than it is read in order. */
static int env_open_once(const struct opening *opening)
{
  struct engine *engine = opening->engine;
  int rc = mdb_env_create(&engine->env);
  if (rc)
    return engine_code(rc);
  mdb_env_set_maxdbs(engine->env, PAGES_TREES);
  mdb_env_set_mapsize(engine->env, opening->map);
  mdb_env_set_maxreaders(engine->env, READERS);
  mdb_env_set_assert(engine->env, engine_assert_failed);
  unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (opening->options->sync ? 0 : MDB_NOSYNC) |
                   (opening->options->read_only ? MDB_RDONLY | MDB_NOLOCK : 0);
  rc = mdb_env_open(engine->env, opening->options->dir, flags, 0600);
  if (rc) {
    mdb_env_close(engine->env);
    engine->env = NULL;
  }
  return engine_code(rc);
}

/* For our own map beside LMDB's (adopt_file()). */
static bool may_map(MDB_env *env)
{
  MDB_envinfo info;
  mdb_env_info(env, &info);
  void *map = mmap(NULL, info.me_mapsize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return map != MAP_FAILED && munmap(map, info.me_mapsize) == 0;
}

static int env_open_with_room(struct opening *opening)
{
  struct engine *engine = opening->engine;
  int rc = env_open_once(opening);
  if (rc < 0 || may_map(engine->env))
    return rc;
  mdb_env_close(engine->env);
  engine->env = NULL;
  return -ENOMEM;
}

/* Where address space is limited, smaller maps do. */
static int env_open(void *arg)
{
  struct opening *opening = arg;
  int rc = env_open_with_room(opening);
  while (rc == -ENOMEM && opening->map / 2 >= MAP_LEAST && opening->map / 2 >= opening->have) {
    opening->map = opening->map / 2 / 4096 * 4096;
    rc = env_open_with_room(opening);
  }
  return rc;
}

static bool is_file(int fd, const struct stat *file)
{
  struct stat stat;
  return idem_fstat(fd, &stat) == 0 && stat.st_ino == file->st_ino && stat.st_dev == file->st_dev;
}

/* LMDB tells one of its three. It opens the lock file before that and the data file once more after it, and
 * open() gives what is lowest: they are as near as the app's own let them be. */
static int keep_files(struct engine *engine, const char *dir, int data)
{
  char path[PATH_MAX];
  struct stat file[ENGINE_FILES];
  snprintf(path, sizeof(path), "%s/lock.mdb", dir);
  if (idem_fstat(data, &file[0]) < 0 || idem_fstatat(AT_FDCWD, path, &file[2], 0) < 0)
    return -errno;
  file[1] = file[0];
  engine->kept[0] = fd_adopt(data, FD_LMDB);
  for (int far = 1; far < FAR_MOST; far++)
    for (int side = -1; side <= 1; side += 2)
      for (int i = 1, fd = data + side * far; i < ENGINE_FILES; i++)
        if (fd > STDERR_FILENO && !engine->kept[i] && is_file(fd, &file[i])) {
          engine->kept[i] = fd_adopt(fd, FD_LMDB);
          break;
        }
  for (int i = 0; i < ENGINE_FILES; i++)
    if (engine->kept[i] < 0)
      return engine->kept[i];
  return 0;
}

/* Maps the file once more for pages.h. */
static int adopt_file(struct engine *engine, const struct engine_options *options)
{
  MDB_envinfo info;
  int fd;
  mdb_env_info(engine->env, &info);
  mdb_env_get_fd(engine->env, &fd);
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
    return -errno;
  int rc = options->read_only ? 0 : keep_files(engine, options->dir, fd);
  return rc < 0 ? rc : pages_open(&engine->pages, fd, engine->path, info.me_mapsize);
}

/* Every transaction opens the trees that the engine has no handles of yet, and makes what a store lacks. */
static int make_trees(struct writer *writer, void *arg)
{
  (void)writer;
  (void)arg;
  return 0;
}

/* The usual case, without the write lock. Roots that a commit has torn meanwhile fail the check, and the lock
 * is taken. */
static int find_trees(void *arg)
{
  const struct opening *opening = arg;
  struct engine *engine = opening->engine;
  struct pages_snapshot now;
  MDB_txn *txn;
  int rc = engine_code(mdb_txn_begin(engine->env, NULL, MDB_RDONLY, &txn));
  if (rc < 0)
    return rc;
  rc = pages_copy_roots(&engine->pages, mdb_txn_id(txn), &now);
  if (rc == 0)
    rc = pages_find_trees(&now);
  if (rc == 0)
    rc = pages_check_main(&now);
  /* A store of an earlier version lacks some, which nobody misses where nobody writes. */
  if (rc == 0 && !opening->options->read_only && now.found != PAGES_TREES)
    rc = -ENOENT;
  mdb_txn_abort(txn);
  return rc;
}

/* The data file is looked at before LMDB maps what it says. It is closed before LMDB's own
 * descriptors are looked for. */
static int open_alone(struct opening *opening, struct idem_error *error)
{
  const struct engine_options *options = opening->options;
  int data = open_data(options, error);
  if (data < 0)
    return data;
  int rc = check_data(data, options, &opening->have, error);
  if (rc == 0 && !options->read_only)
    rc = allocate_locks(options, error);
  if (rc == 0)
    rc = choose_map(opening, error);
  if (rc == 0 && (rc = engine_guard(env_open, opening)) < 0)
    rc = engine_fail(error, rc, options->dir);
  end_opening(data);
  return rc;
}

/* The trees are followed only by way of a guard. */
static int engine_start(struct engine *engine, const struct engine_options *options, struct idem_error *error)
{
  struct opening opening = {.engine = engine, .options = options};
  const struct writer_job making = {.body = make_trees, .arg = engine, .makes = true};
  int rc = open_alone(&opening, error);
  if (rc < 0)
    return rc;
  rc = adopt_file(engine, options);
  if (rc == 0 && (rc = engine_guard(find_trees, &opening)) < 0 && !options->read_only) {
    rc = writer_run_job(engine, &making, error);
    if (rc < 0)
      return rc;
  }
  if (rc == 0 && (rc = -pthread_key_create(&engine->slot, reader_end_thread)) == 0)
    engine->has_slot = true;
  return rc < 0 ? engine_fail(error, rc, options->dir) : 0;
}

/* Standard descriptors are filled while LMDB opens its own, so that none of them is 0, 1 or 2. */
int engine_open(struct engine **out, const struct engine_options *options, struct idem_error *error)
{
  struct engine *engine = calloc(1, sizeof(*engine));
  if (!engine || asprintf(&engine->path, "%s/data.mdb", options->dir) < 0) {
    free(engine);
    return idem_error_set(error, -ENOMEM, "%s: no memory", options->dir);
  }
  engine->life = engine->born = process_generation();
  gate_open(&engine->gate, options->patience_ms);
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

/* The slot goes first: a thread that ends from now on has nothing of ours to free. An environment that has
 * lost a descriptor stays, for LMDB would close what has its number now. */
void engine_close(struct engine *engine)
{
  if (!engine || !engine_is_ours(engine))
    return;
  bool whole = engine_has_file(engine);
  for (int i = 0; i < ENGINE_FILES; i++)
    fd_forget(engine->kept[i]);
  if (engine->has_slot)
    pthread_key_delete(engine->slot);
  reader_free_all(engine);
  pages_close(&engine->pages);
  free(engine->path);
  if (engine->env && !whole) {
    engine_keep(engine);
    return;
  }
  if (engine->env)
    mdb_env_close(engine->env);
  free(engine);
}
