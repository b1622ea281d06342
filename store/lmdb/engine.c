/* SPDX-License-Identifier: MIT */
/* What stands between LMDB and whoever calls it: its failures, and its assertions, become
 * codes and words of ours. */
#include "config/kernel.h"
#include "config/old_glibc.h"
#include "store/base/fd.h"
#include "store/base/process.h"
#include "store/lmdb/engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The innermost engine_guard() of the thread. */
static __thread jmp_buf *landing;

/* Comes back only where no guard is, and LMDB then calls abort(): what runs without one follows no page of
 * the file. */
void engine_assert_failed(MDB_env *env, const char *what)
{
  (void)env;
  (void)what;
  if (landing)
    longjmp(*landing, 1);
}

/* What was allocated below `body` is lost when it jumps. `landing` is put back either way, so that guards
 * nest. */
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

/* LMDB gives errno as it is, and codes of its own below 0. */
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
  case MDB_PANIC:
    return -ENOTRECOVERABLE;
  case MDB_INVALID: /* the data file has been looked at */
    return -EUCLEAN;
  default:
    return rc >= MDB_KEYEXIST && rc <= MDB_LAST_ERRCODE ? -EILSEQ : -rc;
  }
}

int engine_begun(struct engine *engine, int rc)
{
  if (rc == MDB_PANIC || rc == MDB_MAP_RESIZED)
    atomic_store(&engine->spent, true);
  return engine_code(rc);
}

bool engine_is_spent(const struct engine *engine)
{
  return atomic_load(&engine->spent) && !atomic_load(&engine->stuck);
}

/* One table for what a user can do something about; the rest is said in the words of the system. */
int engine_fail(struct idem_error *error, int code, const char *doing)
{
  static const struct {
    int code;
    const char *why;
  } known[] = {
      {-ENOSPC, "the store or its disk is full"},
      {-EIO, "a write came to nothing; the disk is full or failing"},
      {-EBUSY, "too many threads read the store at once (the limit is 8192)"},
      {-EFBIG, "the store has outgrown the address space or file size limit of this process"},
      {-EPROTO, "programs with an LMDB of another version use the store"},
      {-EUCLEAN, "lock.mdb is damaged; remove it while no program uses the store"},
      {-EAGAIN, "a process of another container has the same pid, by which LMDB knows its readers"},
      {-EILSEQ, "the store is damaged (idemshim verify says where; without its directory it starts anew)"},
      {-ENOTRECOVERABLE, "LMDB has given up after a write that failed"},
      {-EBADF, "the app has closed the store's descriptors"},
  };
  for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
    if (code == known[i].code)
      return idem_error_set(error, code, "%s: %s", doing, known[i].why);
  char text[128];
  return idem_error_set(error, code, "%s: %s", doing, strerror_r(-code, text, sizeof(text)));
}

/* An app that closes descriptors it does not know, as a daemon does when it starts, may have given the number
 * of one of LMDB's to a file of its own, which LMDB would then write to, or lock. */
bool engine_has_others(const struct engine *engine)
{
  for (int i = 1; i < ENGINE_FILES; i++)
    if (engine->kept[i] && fd_number(engine->kept[i]) < 0)
      return false;
  return true;
}

bool engine_has_file(const struct engine *engine)
{
  return (!engine->kept[0] || fd_number(engine->kept[0]) >= 0) && engine_has_others(engine);
}

bool engine_is_given_back(const struct engine *engine)
{
  return atomic_load(&engine->given_back) && fd_number(engine->kept[ENGINE_LOCK]) >= 0;
}

void engine_give_back(struct engine *engine)
{
  if (pthread_mutex_trylock(&engine->gate.mutex))
    return;
  bool gives = engine_has_file(engine) && engine->kept[ENGINE_LOCK];
  for (int i = 0; gives && i < ENGINE_LOCK; i++) {
    engine->number[i] = fd_number(engine->kept[i]);
    fd_end(engine->kept[i]);
  }
  engine->given_back |= gives;
  pthread_mutex_unlock(&engine->gate.mutex);
}

/* A descriptor of the data file under that number, or -errno. */
static int open_at(const struct engine *engine, int flags, int number)
{
  struct stat stat;
  int fd = fd_open(engine->path, flags, 0), at = fd;
  if (fd < 0)
    return fd;
  if (fd != number) {
    at = fcntl(fd, F_DUPFD_CLOEXEC, number);
    close(fd);
  }
  if (at < 0)
    return -errno;
  bool same =
      idem_fstat(at, &stat) == 0 && stat.st_ino == engine->pages.inode && stat.st_dev == engine->pages.device;
  if (at == number && same)
    return at;
  close(at);
  return same ? -EMFILE : -ESTALE;
}

int engine_take_back(struct engine *engine)
{
  static const int flags[ENGINE_LOCK] = {O_RDWR, O_WRONLY | O_DSYNC};
  if (!engine_is_given_back(engine))
    return 0;
  for (int i = 0; i < ENGINE_LOCK; i++) {
    int fd = engine->number[i] < 0 ? 0 : open_at(engine, flags[i], engine->number[i]);
    if (fd < 0) {
      fd_end(engine->kept[0]);
      return fd;
    }
    engine->kept[i] = fd ? fd_adopt(fd, FD_LMDB) : 0;
  }
  atomic_store(&engine->given_back, false);
  return 0;
}

bool engine_hold_stops(const struct engine *engine, sigset_t *before)
{
  sigset_t stops;
  if (engine->gate.patience_ms <= GATE_PATIENCE_MS)
    return false;
  sigemptyset(&stops);
  sigaddset(&stops, SIGTSTP);
  sigaddset(&stops, SIGTTIN);
  sigaddset(&stops, SIGTTOU);
  return sigprocmask(SIG_BLOCK, &stops, before) == 0;
}

/* What readers have of them stays mapped for as long as the process lives, so they are kept and not lost. */
static struct engine *_Atomic abandoned;

void engine_keep(struct engine *engine)
{
  engine->abandoned = atomic_load(&abandoned);
  while (!atomic_compare_exchange_weak(&abandoned, &engine->abandoned, engine))
    ;
}

/* To close what is left of them would drop the locks that another environment has by then. */
void engine_abandon(struct engine *engine)
{
  engine->has_table = engine->born == process_generation() && fd_number(engine->kept[ENGINE_LOCK]) >= 0;
  if (atomic_exchange(&engine->life, 0) == 0)
    return;
  engine_keep(engine);
  for (int i = 0; i < ENGINE_FILES; i++)
    fd_forget(engine->kept[i]);
}

bool engine_is_ours(const struct engine *engine)
{
  return engine->life == process_generation();
}

/* What is open is not used again for another file, so that its inode is its own. */
int engine_is_in(const struct engine *engine, const char *dir)
{
  char path[PATH_MAX];
  struct stat stat;
  if (snprintf(path, sizeof(path), "%s/data.mdb", dir) >= (int)sizeof(path))
    return -ENAMETOOLONG;
  if (idem_fstatat(AT_FDCWD, path, &stat, 0) < 0)
    return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
  return stat.st_ino == engine->pages.inode && stat.st_dev == engine->pages.device;
}

/* LMDB looks whether the pid of each slot is alive, by a lock in the lock file: under its number there must
 * be no other. A pid that is used again keeps the slot. */
int engine_clear_readers(struct engine *engine)
{
  int dead = 0;
  if (engine_has_file(engine))
    mdb_reader_check(engine->env, &dead);
  return dead;
}
