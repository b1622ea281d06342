/* SPDX-License-Identifier: MIT */
#include "store/lmdb/gate.h"

#include "config/old_glibc.h"
#include "store/base/clock.h"
#include "store/base/fd.h"
#include "store/lmdb/engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

/* For `closed_at`: commits went on, and it was in vain all the same, so that one more
 * does not open the gate. */
#define ANY_COMMIT SIZE_MAX

/* However little time a call has: its claim or its answer is not given up for others'
 * writes, which are short. */
enum { GATE_LEAST_US = 50000 };
/* How long a gate that was waited for in vain is only tried; the first nap, and the longest, to which it
 * doubles. */
enum { CLOSED_US = 1000000, NAP_LEAST_US = 50, NAP_MOST_US = 2000, STEP_MOST_US = 20000 };

/* Of this thread's call, by the monotonic clock, in µs; 0: none. */
static __thread int64_t deadline;

int64_t gate_until(int64_t deadline_us)
{
  int64_t before = deadline;
  deadline = deadline_us;
  return before;
}

void gate_open(struct gate *gate, unsigned patience_ms)
{
  pthread_mutex_init(&gate->mutex, NULL);
  gate->patience_ms = patience_ms ? patience_ms : GATE_PATIENCE_MS;
}

/* LMDB locks nothing in this file. Where it cannot be locked at all, LMDB's own lock is what there is. Its
 * number is asked for at every use: it may be the app's by now, with a lock of its own. Without one nothing
 * is written. */
static int lock_file(const struct engine *engine, int command, struct flock *lock)
{
  *lock = (struct flock){.l_type = command == F_UNLCK ? F_UNLCK : F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
  int fd = engine->given_back ? -EBADF : fd_number(engine->kept[0]);
  return fcntl(fd, command == F_GETLK ? F_GETLK : F_SETLK, lock);
}

/* The mutex before the lock: a record lock is the process's, and would let a second thread of it in. */
static bool try_to_enter(struct gate *gate, const struct engine *engine)
{
  struct flock lock;
  if (pthread_mutex_trylock(&gate->mutex))
    return false;
  bool locked = lock_file(engine, F_WRLCK, &lock) == 0;
  if (locked || (errno != EAGAIN && errno != EACCES)) {
    gate->has_file = locked || errno != EBADF;
    return true;
  }
  pthread_mutex_unlock(&gate->mutex);
  return false;
}

/* The lock tells who has the gate. Where it tells nothing a thread of this process has it, or whoever had it
 * has just left. */
static int refuse(const struct engine *engine, unsigned waited_ms, bool late, struct idem_error *error)
{
  struct flock lock;
  int holder =
      lock_file(engine, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? (int)lock.l_pid : (int)getpid();
  if (late)
    return idem_error_set(error, -ETIMEDOUT,
                          "cannot write to the store: process %d is writing, and the call's timeout leaves "
                          "no time to wait for it",
                          holder);
  if (!waited_ms)
    return idem_error_set(error, -ETIMEDOUT,
                          "cannot write to the store: process %d is writing, and others have just waited for "
                          "it in vain; is it stopped, or its disk slow?",
                          holder);
  return idem_error_set(
      error, -ETIMEDOUT,
      "cannot write to the store: process %d is writing and has not gone on for %u ms; is it stopped, or "
      "its disk slow?",
      holder, waited_ms);
}

static size_t commits(const struct engine *engine)
{
  MDB_envinfo info;
  mdb_env_info(engine->env, &info);
  return info.me_last_txnid;
}

int gate_enter(struct gate *gate, const struct engine *engine, const struct writer_job *job,
               struct idem_error *error)
{
  if (try_to_enter(gate, engine))
    return 0;
  /* `idle`: since a commit was last seen, by whomever. */
  int64_t start = clock_steady_us(), looked = start, waited = 0, idle = 0;
  size_t seen = commits(engine), closed_at = atomic_load_explicit(&gate->closed_at, memory_order_relaxed);
  bool closed = start < atomic_load_explicit(&gate->closed_until_us, memory_order_relaxed) &&
                (closed_at == seen || closed_at == ANY_COMMIT);
  int64_t patience = closed ? 0 : gate->patience_ms * INT64_C(1000);
  if (job->makes && patience < GATE_MAKING_MS * INT64_C(1000))
    patience = GATE_MAKING_MS * INT64_C(1000);
  /* The other half is for the call itself. */
  int64_t half = start + (deadline - start) / 2, least = start + GATE_LEAST_US;
  int64_t until = !deadline ? 0 : half > least ? half : least;
  for (long us = NAP_LEAST_US; !try_to_enter(gate, engine); us = us < NAP_MOST_US ? us * 2 : us) {
    int64_t now = clock_steady_us();
    size_t committed = commits(engine);
    /* Who was not let run itself cannot tell whether the writer was. */
    int64_t step = now - looked < STEP_MOST_US ? now - looked : STEP_MOST_US;
    looked = now;
    waited += step;
    idle = committed == seen ? idle + step : 0;
    seen = committed;
    bool late = until && now >= until;
    if (late || idle >= patience || (waited >= GATE_MOST_MS * INT64_C(1000) && waited >= patience)) {
      if (!closed && !late) {
        atomic_store_explicit(&gate->closed_at, idle >= patience ? seen : ANY_COMMIT, memory_order_relaxed);
        atomic_store_explicit(&gate->closed_until_us, now + CLOSED_US, memory_order_relaxed);
      }
      return refuse(engine, (unsigned)(idle / 1000), late, error);
    }
    if (job->nap && job->nap(job->arg, us))
      return -EALREADY;
    if (!job->nap)
      nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
  }
  return 0;
}

void gate_leave(struct gate *gate, const struct engine *engine)
{
  struct flock lock;
  lock_file(engine, F_UNLCK, &lock);
  pthread_mutex_unlock(&gate->mutex);
}
