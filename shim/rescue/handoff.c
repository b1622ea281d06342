/* SPDX-License-Identifier: MIT */
#include "shim/rescue/handoff.h"

#include "shim/rescue/clone.h"
#include "shim/rescue/epoll_restore.h"
#include "shim/rescue/isolate.h"
#include "shim/runtime/app_stderr.h"
#include "shim/runtime/runtime.h"
#include "shim/transport/feeder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* Never 0, 1 or 2, which an app that has closed them would read or write. */
static int above_standard(int fd)
{
  if (fd > STDERR_FILENO)
    return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close(fd);
  return higher;
}

/* Neither end is ever readable, and what is written to one of them is nobody's. */
static bool make_dead(int dead[2])
{
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, dead) < 0)
    return false;
  dead[0] = above_standard(dead[0]);
  dead[1] = above_standard(dead[1]);
  return dead[0] >= 0 && dead[1] >= 0;
}

static void close_dead(const int dead[2])
{
  for (int i = 0; i < 2; i++)
    if (dead[i] >= 0)
      close(dead[i]);
}

/* What the copy has. */
static struct sole kept(const struct parting_sockets *sockets, const int dead[2],
                        const struct idem_parting *store, unsigned seconds, const int *also)
{
  struct sole sole = {.dead = dead[0], .seconds = seconds};
  for (unsigned i = 0; also && i < 2; i++)
    sole_keep(&sole, also[i]);
  sole_keep(&sole, dead[0]);
  sole_keep(&sole, dead[1]);
  for (unsigned i = 0; i < sizeof(store->keep) / sizeof(*store->keep); i++)
    sole_keep(&sole, store->keep[i]);
  for (unsigned i = 0; i < sockets->count; i++)
    sole_keep(&sole, sockets->fd[i]);
  return sole;
}

/* Both sides find every lock of ours free; the feeder's and the store's have been taken before. The copy is
 * alone first of all: should it hang, it holds nothing of the app's, and is ended in time. */
static pid_t copy_between_locks(struct call *call, struct sole *sole, enum idem_parted owner)
{
  struct clone_kind kind = clone_kind();
  pid_t app = getpid();
  life_hold();
  pid_t pid = clone_process(&kind);
  if (pid == 0) {
    owner_stderr_note(app);
    sole_become(sole);
    life_release_in_copy();
  } else {
    life_release();
  }
  call->api->parted(call->store, &call->op,
                    pid == 0  ? IDEM_PARTED_COPY
                    : pid > 0 ? owner
                              : IDEM_PARTED_FAILED);
  if (pid == 0)
    feeder_begin_anew();
  else
    feeder_unlock();
  return pid;
}

/* From here on what libcurl does to the connection reaches nobody. */
static void bury(struct parting *parting, const struct parting_sockets *sockets, const int dead[2])
{
  for (unsigned i = 0; i < sockets->count; i++) {
    struct watchers watchers = {.count = 0};
    if (sockets->watched)
      watchers_take(&watchers, sockets->fd[i]);
    dup3(dead[0], sockets->fd[i], O_CLOEXEC);
    watchers_put_back(&watchers);
  }
  close(dead[0]);
  parting->far = dead[1];
}

static enum parting_side part(struct parting *parting, struct call *call,
                              const struct parting_sockets *sockets, unsigned seconds, const int dead[2],
                              const int *also)
{
  struct idem_parting store;
  feeder_lock();
  int rc = call->api->part(call->store, &call->op, life_config()->rescues, &store);
  if (rc < 0) {
    feeder_unlock();
    parting->reason = rc == -EAGAIN ? "IDEMSHIM_RESCUES are under way" : "no claim or descriptor";
    return PARTING_FAILED;
  }
  struct sole sole = kept(sockets, dead, &store, seconds, also);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pid_t pid = copy_between_locks(call, &sole, also ? IDEM_PARTED_BOTH : IDEM_PARTED_OWNER);
  if (pid == 0)
    return PARTING_COPY;
  if (pid > 0 && !also)
    bury(parting, sockets, dead);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  parting->reason = pid > 0 ? NULL : "the process cannot be copied";
  return pid > 0 ? PARTING_OWNER : PARTING_FAILED;
}

static enum parting_side make(struct parting *parting, struct call *call,
                              const struct parting_sockets *sockets, unsigned seconds, const int *also)
{
  int dead[2] = {-1, -1}, saved = errno, cancel;
  /* A thread that its app has cancelled must not end in here, with all locks of ours; in a copy, never. */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  *parting = PARTING_NONE;
  parting->reason = "no descriptor";
  enum parting_side side =
      make_dead(dead) ? part(parting, call, sockets, seconds, dead, also) : PARTING_FAILED;
  if (side == PARTING_FAILED || (side == PARTING_OWNER && also))
    close_dead(dead);
  if (side != PARTING_COPY)
    pthread_setcancelstate(cancel, NULL);
  errno = saved;
  return side;
}

enum parting_side parting_make(struct parting *parting, struct call *call,
                               const struct parting_sockets *sockets)
{
  return make(parting, call, sockets, SOLE_TURN_SECONDS, NULL);
}

enum parting_side parting_watch(struct parting *parting, struct call *call,
                                const struct parting_sockets *sockets, unsigned seconds, const int keep[2])
{
  return make(parting, call, sockets, seconds, keep);
}

void parting_end(struct parting *parting)
{
  if (parting->far >= 0)
    close(parting->far);
  parting->far = -1;
}

void parting_reap(void)
{
  clone_reap();
}
