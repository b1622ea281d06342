/* SPDX-License-Identifier: MIT */
/* Opening a store: is the directory ours alone, and what is in it. */
#include "store/base/claim_lock.h"
#include "store/base/clock.h"
#include "store/base/fd.h"
#include "store/state/identity.h"
#include "store/state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LEAST = 2 << 20 };

static struct idem_store *stores; /* under life_stores */

static int path_fail(struct idem_error *error, int code, const char *path)
{
  char text[128];
  return idem_error_set(error, code, "%s: %s", path, strerror_r(-code, text, sizeof(text)));
}

/* mkdir -p, for us alone. */
static int make_dirs(const char *dir)
{
  char path[PATH_MAX];
  size_t len = strlen(dir);
  if (len >= sizeof(path))
    return -ENAMETOOLONG;
  for (size_t i = 1; i <= len; i++) {
    if (dir[i] != '/' && dir[i] != '\0')
      continue;
    memcpy(path, dir, i);
    path[i] = '\0';
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
      return access(path, F_OK) == 0 ? 0 : -errno;
  }
  return 0;
}

static int check_dir(const char *dir, struct stat *stat_out, struct idem_error *error)
{
  if (stat(dir, stat_out) < 0)
    return path_fail(error, -errno, dir);
  if (!S_ISDIR(stat_out->st_mode))
    return idem_error_set(error, -ENOTDIR, "%s: is not a directory", dir);
  if (stat_out->st_uid != geteuid())
    return idem_error_set(error, -EPERM, "%s: belongs to another user (uid %u)", dir,
                          (unsigned)stat_out->st_uid);
  if (stat_out->st_mode & 022)
    return idem_error_set(error, -EPERM, "%s: is writable by others (mode %03o); chmod 700 it", dir,
                          (unsigned)stat_out->st_mode & 0777);
  return 0;
}

static int find_dir(const struct idem_store_options *options, struct stat *stat_out, struct idem_error *error)
{
  char data[PATH_MAX];
  if (snprintf(data, sizeof(data), "%s/data.mdb", options->dir) >= (int)sizeof(data))
    return path_fail(error, -ENAMETOOLONG, options->dir);
  struct stat there;
  if (stat(options->dir, &there) < 0 && errno == ENOENT && !options->must_exist) {
    int rc = make_dirs(options->dir);
    if (rc < 0)
      return path_fail(error, rc, options->dir);
  }
  int rc = check_dir(options->dir, stat_out, error);
  if (rc == 0 && options->must_exist && access(data, F_OK) < 0)
    return idem_error_set(error, -ENOENT, "%s: there is no store here yet", options->dir);
  return rc;
}

/* The claims file, and whether its file system can lock at all. */
static int open_claims(struct idem_store *store, struct idem_error *error)
{
  static const uint8_t any[8];
  store->claims_fd = fd_open(store->claims_path, O_RDWR | O_CREAT, 0600);
  if (store->claims_fd < 0)
    return path_fail(error, store->claims_fd, store->claims_path);
  if (claim_taken(store->claims_fd, any) < 0)
    return idem_error_set(error, -ENOLCK, "%s: this file system has no open file description locks",
                          store->dir);
  return 0;
}

static int open_engine(struct idem_store *store, struct engine **out, struct idem_error *error)
{
  struct engine_options options = {.dir = store->dir, .size = store->size, .sync = store->sync};
  return engine_open(out, &options, error);
}

struct engine *store_engine(struct idem_store *store, int *code, struct idem_error *error)
{
  struct engine *engine = atomic_load_explicit(&store->engine, memory_order_acquire);
  if (engine_is_ours(engine))
    return engine;
  struct quiet quiet = quiet_begin();
  pthread_mutex_lock(&process_lock_opening);
  engine = atomic_load(&store->engine);
  if (!engine_is_ours(engine)) {
    *code = open_engine(store, &engine, error);
    if (*code == 0)
      atomic_store(&store->engine, engine);
    else
      engine = NULL;
  }
  pthread_mutex_unlock(&process_lock_opening);
  quiet_end(&quiet);
  return engine;
}

/* Before any file is made: a write past the limit would raise SIGXFSZ in the app. */
static int check_limits(struct idem_error *error)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < FILE_LEAST)
    return idem_error_set(
        error, -EFBIG, "the file size limit of this process (ulimit -f, %llu bytes) is too small for a store",
        (unsigned long long)limit.rlim_cur);
  return 0;
}

static int open_files(struct idem_store *store, const char *key_file, struct idem_error *error)
{
  char path[PATH_MAX];
  snprintf(path, sizeof(path), "%s/stats", store->dir);
  int rc = check_limits(error);
  if (rc == 0)
    rc = open_claims(store, error);
  if (rc < 0)
    return rc;
  rc = stats_open(&store->stats, path);
  if (rc < 0)
    return path_fail(error, rc, path);
  struct engine *engine;
  rc = open_engine(store, &engine, error);
  if (rc < 0)
    return rc;
  atomic_store(&store->engine, engine);
  return identity_learn(store, engine, key_file, error);
}

static void store_free(struct idem_store *store)
{
  if (!store)
    return;
  engine_close(atomic_load(&store->engine));
  stats_close(store->stats);
  if (store->claims_fd >= 0)
    close(store->claims_fd);
  repeats_release(&store->repeats);
  free(store->claims_path);
  free(store->dir);
  explicit_bzero(store->seal_key, sizeof(store->seal_key));
  free(store);
}

static int store_new(struct idem_store **out, const struct idem_store_options *options,
                     const struct stat *stat, struct idem_error *error)
{
  struct idem_store *store = calloc(1, sizeof(*store));
  if (!store)
    return idem_error_set(error, -ENOMEM, "%s: no memory", options->dir);
  *store = (struct idem_store){.users = 1,
                               .inode = stat->st_ino,
                               .device = stat->st_dev,
                               .size = options->size,
                               .sync = options->sync,
                               .claims_fd = -1};
  store->dir = strdup(options->dir);
  if (!store->dir || asprintf(&store->claims_path, "%s/claims", options->dir) < 0)
    store->claims_path = NULL;
  int rc = store->claims_path ? open_files(store, options->key_file, error)
                              : idem_error_set(error, -ENOMEM, "%s: no memory", options->dir);
  if (rc < 0) {
    store_free(store);
    return rc;
  }
  *out = store;
  return 0;
}

/* LMDB cannot have one environment twice in a process: closing one would drop the locks of both. */
static int open_or_share(struct idem_store **out, const struct idem_store_options *options,
                         struct idem_error *error)
{
  struct stat stat;
  int rc = find_dir(options, &stat, error);
  if (rc < 0)
    return rc;
  for (struct idem_store *store = stores; store; store = store->next)
    if (store->inode == stat.st_ino && store->device == stat.st_dev) {
      store->users++;
      *out = store;
      return 0;
    }
  rc = store_new(out, options, &stat, error);
  if (rc == 0) {
    (*out)->next = stores;
    stores = *out;
  }
  return rc;
}

int idem_store_open(struct idem_store **out, const struct idem_store_options *options,
                    struct idem_error *error)
{
  struct quiet quiet = quiet_begin();
  int rc = process_register_fork();
  if (rc == 0) {
    pthread_mutex_lock(&process_lock_stores);
    rc = open_or_share(out, options, error);
    pthread_mutex_unlock(&process_lock_stores);
  }
  quiet_end(&quiet);
  return rc;
}

void idem_store_close(struct idem_store *store)
{
  if (!store)
    return;
  struct quiet quiet = quiet_begin();
  pthread_mutex_lock(&process_lock_stores);
  bool last = --store->users == 0;
  for (struct idem_store **at = &stores; last && *at; at = &(*at)->next)
    if (*at == store) {
      *at = store->next;
      break;
    }
  if (last)
    store_free(store);
  pthread_mutex_unlock(&process_lock_stores);
  quiet_end(&quiet);
}
