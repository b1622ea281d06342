/* SPDX-License-Identifier: MIT */
/*
 * Opening a store. Everything that could hurt the app later is refused here: a directory that others may
 * write to, limits that a write would run into, and file systems that have no locks for the claims.
 */
#include "store/state/state.h"

#include "config/kernel.h"
#include "config/old_glibc.h"
#include "config/thread.h"
#include "store/base/claim_lock.h"
#include "store/base/fd.h"
#include "store/base/path.h"
#include "store/judge/prices.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The least that the files of an empty store need, each by itself. */
enum { FILE_LEAST = 2 << 20 };

/* How many engines a process may open after the first because LMDB has given one up: each keeps its
 * maps and descriptors. */
enum { RENEWALS_MOST = 16 };

/* Between two commits of a burst; and what a leader may make those wait that it does not take. */
enum { LEAVE_US = 50000, LEAD_US = 5000 };

static struct idem_store *stores; /* under process_lock_stores */

bool state_is_in_place(const struct idem_store *store)
{
  return store->read_only || engine_is_in(atomic_load(&store->engine), store->dir) != 0;
}

int state_fail_replaced(const struct idem_store *store, struct idem_error *error)
{
  return idem_error_set(error, -ESTALE, "%s: the store was removed, or another one is in its place",
                        store->dir);
}

/* The engine that was there before, of a parent, is not closed: that would free the slots of the parent's
 * readers. */
static int open_engine(struct idem_store *store, struct engine **out, struct idem_error *error)
{
  struct engine_options options = {.dir = store->dir,
                                   .size = store->size,
                                   .sync = store->sync,
                                   .read_only = store->read_only,
                                   .joins = store->renewals > 0,
                                   .patience_ms = store->patience_ms};
  struct engine *engine, *before = atomic_load(&store->engine);
  /* Pages, claims and secret of a store that was opened before stay those of one. */
  if (before && !state_is_in_place(store))
    return state_fail_replaced(store, error);
  int rc = engine_open(&engine, &options, error);
  if (rc < 0)
    return rc;
  if (before && !state_is_in_place(store)) {
    engine_close(engine);
    return state_fail_replaced(store, error);
  }
  atomic_store(&store->engine, engine);
  *out = engine;
  return 0;
}

int state_engine(struct idem_store *store, struct engine **out, struct idem_error *error)
{
  /* The way of every hit: a load and a look at the generation, no lock. */
  *out = atomic_load_explicit(&store->engine, memory_order_acquire);
  if (engine_is_ours(*out))
    return 0;
  /* A child: what its parent has opened is left as it is. */
  QUIET();
  PROCESS_LOCKED(opening);
  /* Looked at under the lock: of two threads of a child the second one finds the engine of the first. */
  *out = atomic_load(&store->engine);
  if (engine_is_ours(*out))
    return 0;
  engine_abandon(*out);
  return open_engine(store, out, error);
}

int state_claims_fd(struct idem_store *store)
{
  int lost = atomic_load(&store->claims), fd = fd_number(lost);
  if (fd >= 0)
    return fd;
  int kept = fd_open_kept(store->claims_file.path, O_RDWR, 0, FD_CLAIMS);
  if (kept < 0)
    return kept;
  if (!claim_file_is(&store->claims_file, fd_number(kept))) {
    fd_end(kept);
    return -ESTALE;
  }
  /* Two threads may find it lost at once. One of the two new ones stays, and the other is closed. */
  fd_end(atomic_compare_exchange_strong(&store->claims, &lost, kept) ? lost : kept);
  return fd_number(atomic_load(&store->claims));
}

/* Another one in the place of a spent one, unless another thread has opened it. */
static int renew_engine(struct idem_store *store, struct engine **out, struct idem_error *error)
{
  QUIET();
  PROCESS_LOCKED(opening);
  struct engine *spent = *out;
  *out = atomic_load(&store->engine);
  if (*out != spent)
    return 0;
  if (store->renewals == RENEWALS_MOST)
    return idem_error_set(error, -ENOTRECOVERABLE, "%s: opened anew %d times, and not again", store->dir,
                          RENEWALS_MOST);
  store->renewals++;
  engine_abandon(spent);
  return open_engine(store, out, error);
}

/* The engine of this generation, with its descriptors. */
static int whole_engine(struct idem_store *store, struct engine **out, struct idem_error *error)
{
  int rc = state_engine(store, out, error);
  if (rc == 0 && engine_is_spent(*out))
    return renew_engine(store, out, error);
  if (rc < 0 || engine_has_file(*out))
    return rc;
  /* Closed by ourselves, where few descriptors were left for libcurl. What follows is for those that the app
   * has closed. */
  if (engine_is_given_back(*out)) {
    PROCESS_LOCKED(opening);
    rc = engine_take_back(*out);
    return rc < 0 ? path_fail(error, rc, store->dir) : 0;
  }
  /* From here on it is not ours, and so another one is opened, as in a child. */
  engine_abandon(*out);
  return state_engine(store, out, error);
}

void idem_store_give_back(struct idem_store *store)
{
  QUIET();
  PROCESS_LOCKED(opening);
  struct engine *engine = atomic_load(&store->engine);
  fd_end(atomic_exchange(&store->claims, 0));
  if (engine_is_ours(engine))
    engine_give_back(engine);
}

/* Whether the app has closed them is asked only when it goes wrong: a hit makes no system call. Without them
 * there is no lock that tells others of our readers, and who opens the store then begins their table anew. */
int state_read(struct idem_store *store, struct reader **out, struct idem_error *error)
{
  struct engine *engine, *whole;
  int rc = state_engine(store, &engine, error);
  if (rc < 0)
    return rc;
  rc = reader_begin(engine, out, error);
  if (rc == 0 || whole_engine(store, &whole, error) < 0 || whole == engine)
    return rc;
  return reader_begin(whole, out, error);
}

/* One that may be written to as far as is known without a system call. */
static int ready_engine(struct idem_store *store, struct engine **out, struct idem_error *error)
{
  if (store->read_only)
    return path_fail(error, -EROFS, store->dir);
  int rc = state_engine(store, out, error);
  return rc == 0 && (engine_is_spent(*out) || engine_is_given_back(*out)) ? whole_engine(store, out, error)
                                                                          : rc;
}

int state_may_write(struct idem_store *store, struct idem_error *error)
{
  struct engine *engine;
  return ready_engine(store, &engine, error);
}

static int write_job(struct idem_store *store, const struct writer_job *job, struct idem_error *error)
{
  struct engine *engine;
  int rc = ready_engine(store, &engine, error);
  if (rc < 0)
    return rc;
  rc = writer_run_job(engine, job, error);
  /* The app has closed its descriptors, which the writer looks at when it is in the gate. */
  if (rc == -EBADF) {
    rc = whole_engine(store, &engine, error);
    return rc < 0 ? rc : writer_run_job(engine, job, error);
  }
  /* What a reader that died had in view is not used again until its slot is free. */
  if (rc == -ENOSPC && engine_clear_readers(engine) > 0)
    return writer_run_job(engine, job, error);
  /* It was not begun. */
  if ((rc != -ENOTRECOVERABLE && rc != -EFBIG) || !engine_is_spent(engine))
    return rc;
  rc = whole_engine(store, &engine, error);
  return rc < 0 ? rc : writer_run_job(engine, job, error);
}

/* Whoever has left the gate wakes one who waits with a write in the queue, and who then does those of all. */
int state_write_job(struct idem_store *store, const struct writer_job *job, struct idem_error *error)
{
  int rc = write_job(store, job, error);
  if (!store->read_only)
    queue_wake(&store->stats->queue);
  return rc;
}

int state_write(struct idem_store *store, writer_body *body, void *arg, struct idem_error *error)
{
  struct writer_job job = {.body = body, .arg = arg};
  return state_write_job(store, &job, error);
}

/* The length is looked at here once, for the longest name that is ever put behind `dir`. */
static int find_dir(const struct idem_store_options *options, struct stat *out, struct idem_error *error)
{
  char data[PATH_MAX];
  if (snprintf(data, sizeof(data), "%s/data.mdb", options->dir) >= (int)sizeof(data))
    return path_fail(error, -ENAMETOOLONG, options->dir);
  int rc = 0;
  if (idem_fstatat(AT_FDCWD, options->dir, out, 0) < 0 && errno == ENOENT && !options->must_exist)
    rc = path_make_dir(options->dir, error);
  if (rc == 0)
    rc = path_check_dir(options->dir, out, error);
  if (rc == 0 && options->must_exist && access(data, F_OK) < 0)
    return idem_error_set(error, -ENOENT, "%s: there is no store here yet", options->dir);
  return rc;
}

/* The claims first: without locks a store could send a call twice, so there is none. The stats before the
 * engine, whose readers count. */
static int open_files(struct idem_store *store, const char *key_file, struct idem_error *error)
{
  /* Asking for one lock tells whether the file system has any. */
  static const uint8_t any_key[8];
  char path[PATH_MAX];
  struct rlimit limit;
  struct engine *engine;
  /* Before any file is made. */
  if (!idem_file_may_have(FILE_LEAST) && getrlimit(RLIMIT_FSIZE, &limit) == 0)
    return idem_error_set(
        error, -EFBIG, "the file size limit of this process (ulimit -f, %llu bytes) is too small for a store",
        (unsigned long long)limit.rlim_cur);
  snprintf(path, sizeof(path), "%s/" STATS_FILE, store->dir);
  if (store->read_only) {
    int rc = stats_open_copy(&store->stats, path);
    rc = rc < 0 ? path_fail(error, rc, path) : open_engine(store, &engine, error);
    return rc < 0 ? rc : identity_learn(store, key_file, error);
  }
  struct claims_file *claims = &store->claims_file;
  struct stat stat;
  store->claims = fd_open_kept(claims->path, O_RDWR | O_CREAT, 0600, FD_CLAIMS);
  if (store->claims < 0 || idem_fstat(fd_number(store->claims), &stat) < 0)
    return path_fail(error, store->claims < 0 ? store->claims : -errno, claims->path);
  claims->inode = stat.st_ino;
  claims->device = stat.st_dev;
  if (claim_lock_taken(state_claims_fd(store), any_key) < 0)
    return idem_error_set(error, -ENOLCK, "%s: this file system has no open file description locks",
                          store->dir);
  int rc = claim_table_open(&store->claim_table, state_claims_fd(store));
  if (rc < 0)
    return path_fail(error, rc, claims->path);
  rc = stats_open(&store->stats, path);
  if (rc < 0)
    return path_fail(error, rc, path);
  rc = open_engine(store, &engine, error);
  return rc < 0 ? rc : identity_learn(store, key_file, error);
}

/* Also for one that was not opened to the end. */
static void store_free(struct idem_store *store)
{
  state_visit *write_left = atomic_load(&store->write_left);
  if (write_left)
    write_left(store);
  if (store->fleet_api)
    store->fleet_api->close(store->fleet);
  engine_close(atomic_load(&store->engine));
  spill_close(store);
  stats_close(store->stats);
  claim_table_close(store->claim_table);
  fd_end(store->claims);
  repeats_release(&store->repeats);
  free(store->claims_file.path);
  free((char *)(uintptr_t)store->asked.dir);
  free((char *)(uintptr_t)store->asked.key_file);
  free((char *)(uintptr_t)store->asked.prices);
  prices_free(atomic_load(&store->prices));
  free(store->dir);
  seal_room_free(store, sizeof(*store));
}

/* Paths are kept as they were given: absolute, so that an app may change its directory. */
static int store_new(struct idem_store **out, const struct idem_store_options *options,
                     const struct fleet_store *fleet, const char *asked_dir, struct idem_error *error)
{
  struct idem_store *store = seal_room(sizeof(*store));
  if (!store)
    return idem_error_set(error, -ENOMEM, "%s: no memory", options->dir);
  store->users = 1;
  store->given = fleet->known ? fleet : NULL;
  store->size = options->size;
  store->sync = options->sync;
  store->leave_us = LEAVE_US;
  store->lead_us = LEAD_US;
  /* A command reads such a store all the same. For an app it is an error: it could neither claim a call nor
   * store one. */
  store->read_only = options->must_exist && access(options->dir, W_OK) < 0 && errno == EROFS;
  store->patience_ms = options->patience_ms;
  store->dir = strdup(options->dir);
  store->asked = *options;
  store->asked.dir = strdup(asked_dir);
  store->asked.key_file = options->key_file ? strdup(options->key_file) : NULL;
  store->asked.prices = options->prices ? strdup(options->prices) : NULL;
  char **claims = &store->claims_file.path;
  if (!store->dir || asprintf(claims, "%s/claims", options->dir) < 0)
    *claims = NULL;
  bool has = *claims && store->asked.dir && !store->asked.key_file == !options->key_file;
  int rc = has ? open_files(store, options->key_file, error)
               : idem_error_set(error, -ENOMEM, "%s: no memory", options->dir);
  if (rc < 0) {
    store_free(store);
    return rc;
  }
  if (!options->must_exist)
    identity_tell_old(store, error);
  if (store->given) {
    store->where = options->fleet;
    store->fleet_api = fleet_store_connect(fleet, store->where, &store->stats->fleet, &store->fleet);
  }
  store->given = NULL;
  *out = store;
  return 0;
}

/* A service meets these where it is not allowed to write: in a home of root's, or one that systemd has made
 * read-only. A command says its own. */
static int say_way_out(int rc, const struct idem_store_options *options, struct idem_error *error)
{
  struct idem_error first;
  if (error && !options->must_exist && (rc == -EACCES || rc == -EPERM || rc == -EROFS)) {
    first = *error;
    idem_error_set(error, rc, "%.400s; IDEMSHIM_STORE=DIR names a place for uid %u", first.text,
                   (unsigned)geteuid());
  }
  return rc;
}

/* It may have been replaced meanwhile, and what was opened first is of another one. Also that of the
 * directory: without its files it is none. */
static bool is_of_one(const struct idem_store *store, const struct stat *dir)
{
  struct stat now;
  int fd = fd_open(store->claims_file.path, O_RDWR, 0);
  bool is = fd >= 0 && claim_file_is(&store->claims_file, fd) && state_is_in_place(store) &&
            idem_fstatat(AT_FDCWD, store->dir, &now, 0) == 0 && now.st_ino == dir->st_ino &&
            now.st_dev == dir->st_dev;
  if (fd >= 0)
    close(fd);
  return is;
}

static int make_whole(struct idem_store **out, const struct idem_store_options *options,
                      const struct fleet_store *fleet, const char *asked_dir, struct idem_error *error)
{
  enum { TRIES = 8 };
  struct stat stat;
  for (int i = 0;; i++) {
    int rc = find_dir(options, &stat, error);
    if (rc == 0)
      rc = store_new(out, options, fleet, asked_dir, error);
    if (rc < 0 || (*out)->read_only || is_of_one(*out, &stat))
      return rc;
    rc = state_fail_replaced(*out, error);
    store_free(*out);
    if (i == TRIES)
      return rc;
  }
}

/* It is found by its data file, since a directory has many names, and a name may get another store. */
static int open_in(struct idem_store **out, const struct idem_store_options *options,
                   const struct fleet_store *fleet, const char *asked_dir, struct idem_error *error)
{
  struct stat stat;
  int rc = find_dir(options, &stat, error);
  if (rc < 0)
    return say_way_out(rc, options, error);
  for (struct idem_store *store = stores; store; store = store->next)
    if (engine_is_in(atomic_load(&store->engine), options->dir) == 1) {
      store->users++;
      *out = store;
      return 0;
    }
  rc = make_whole(out, options, fleet, asked_dir, error);
  if (rc == 0) {
    (*out)->next = stores;
    stores = *out;
  }
  return say_way_out(rc, options, error);
}

/* One lock over all of it, so that two threads that open a store at the same time get the same one. */
int idem_store_open(struct idem_store **out, const struct idem_store_options *options,
                    struct idem_error *error)
{
  QUIET();
  struct idem_store_options used = *options;
  struct fleet_store fleet = {.known = false};
  int rc = process_register_fork();
  if (rc < 0)
    return rc;
  idem_thread_prepare(dlsym);
  PROCESS_LOCKED(stores);
  if (options->fleet)
    rc = fleet_store_find(&fleet, options, error);
  if (fleet.known)
    used.dir = fleet.dir;
  return rc < 0 ? rc : open_in(out, &used, &fleet, options->dir, error);
}

int state_open_successor(const struct idem_store *store, struct idem_store **out, struct idem_error *error)
{
  int rc = idem_store_open(out, &store->asked, error);
  if (rc < 0 || *out != store)
    return rc;
  idem_store_close(*out);
  return state_fail_replaced(store, error);
}

/* A signal's handler may have interrupted whoever has a lock, and be who calls exit(). */
static bool is_to_be_had(pthread_mutex_t *lock)
{
  enum { TRIES = 1000 };
  for (int i = 0; pthread_mutex_trylock(lock); i++)
    if (i == TRIES || sched_yield() < 0)
      return false;
  return true;
}

void state_each(state_visit *visit)
{
  if (!is_to_be_had(&process_lock_stores))
    return;
  bool opening = is_to_be_had(&process_lock_opening), lists = is_to_be_had(&process_lock_lists);
  if (lists)
    pthread_mutex_unlock(&process_lock_lists);
  if (opening)
    pthread_mutex_unlock(&process_lock_opening);
  for (struct idem_store *store = lists && opening ? stores : NULL; store; store = store->next)
    visit(store);
  pthread_mutex_unlock(&process_lock_stores);
}

/* The last user's close is the end; calls that are still open then are the caller's mistake. */
void idem_store_close(struct idem_store *store)
{
  if (!store)
    return;
  QUIET();
  PROCESS_LOCKED(stores);
  if (--store->users == 0) {
    struct idem_store **at = &stores;
    while (*at != store)
      at = &(*at)->next;
    *at = store->next;
    store_free(store);
  }
}
