/* SPDX-License-Identifier: MIT */
#include "shim/rescue/handoff.h"

#include "shim/base/fd_table.h"
#include "shim/rescue/fork.h"
#include "shim/rescue/process_copy.h"
#include "shim/runtime/app_stderr.h"
#include "shim/runtime/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Moves a descriptor away from 0, 1 and 2, which an app that has closed them would read or write. */
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

/* The descriptors that the copy keeps: the connection, the claim and its place, the dead pair, and `also`. */
static struct isolation kept(const struct transfer_sockets *sockets, const int dead[2],
                             const struct idem_parting *store, unsigned seconds, const int *also)
{
  struct isolation isolation = {.name = also ? "idemshim-guard" : "idemshim-rescue",
                                .owner = getpid(),
                                .dead = dead[0],
                                .seconds = seconds};
  for (unsigned i = 0; also && i < 2; i++)
    process_copy_keep_fd(&isolation, also[i]);
  process_copy_keep_fd(&isolation, dead[0]);
  process_copy_keep_fd(&isolation, dead[1]);
  for (unsigned i = 0; i < sizeof(store->keep) / sizeof(*store->keep); i++)
    process_copy_keep_fd(&isolation, store->keep[i]);
  for (unsigned i = 0; i < sockets->count; i++)
    process_copy_keep_fd(&isolation, sockets->fd[i]);
  return isolation;
}

/* Both sides find every lock of ours free; the first ones and the store's have been taken before. The copy is
 * alone first of all: should it hang, it holds nothing of the app's, and is ended in time. */
static pid_t copy_between_locks(struct request *request, struct isolation *isolation, enum idem_parted owner)
{
  struct process_copy_kind kind = process_copy_kind();
  fork_lock_rest();
  pid_t pid = process_copy_make(&kind);
  if (pid == 0) {
    app_stderr_in_copy(isolation->owner);
    process_copy_isolate(isolation);
    fork_unlock_rest_in_copy();
  } else {
    fork_unlock_rest();
  }
  request->api->parted(request->store, &request->op,
                       pid == 0  ? IDEM_PARTED_COPY
                       : pid > 0 ? owner
                                 : IDEM_PARTED_FAILED);
  if (pid == 0)
    fork_unlock_last_in_copy();
  else
    fork_unlock_last();
  return pid;
}

/* The app's epoll sets. What they watch is a connection, not a number: one that goes on in another process
 * would be reported for ever under a number that is something else by now. */
enum { REGISTRATIONS_MOST = 8 };

struct registrations {
  int fd; /* that they watch */
  struct registration {
    int epoll;
    uint32_t events;
    uint64_t data;
  } registration[REGISTRATIONS_MOST];
  unsigned count;
};

static bool is_epoll(int fd)
{
  static const char name[] = "anon_inode:[eventpoll]";
  char path[48], target[sizeof(name)];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  return readlink(path, target, sizeof(target)) == (ssize_t)(sizeof(name) - 1) &&
         memcmp(target, name, sizeof(name) - 1) == 0;
}

/* "tfd:        5 events:       19 data:                5  pos:0 ..." [proc(5)] */
static void take_line(struct registrations *registrations, int epoll, const char *line)
{
  struct registration *next = &registrations->registration[registrations->count];
  int fd;
  if (registrations->count == REGISTRATIONS_MOST ||
      sscanf(line, "tfd: %d events: %" SCNx32 " data: %" SCNx64, &fd, &next->events, &next->data) != 3 ||
      fd != registrations->fd || epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) < 0)
    return;
  next->epoll = epoll;
  registrations->count++;
}

static void visit(void *arg, int fd)
{
  char path[48], line[160];
  if (!is_epoll(fd))
    return;
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
  FILE *info = fopen(path, "re");
  while (info && fgets(line, sizeof(line), info))
    take_line(arg, fd, line);
  if (info)
    fclose(info);
}

/* Puts something dead in the place of the connection: what libcurl does to it from here on reaches nobody.
 * Every watch of a descriptor is ended, and begun anew on what has its number then. */
static void bury(struct handoff *handoff, const struct transfer_sockets *sockets, const int dead[2])
{
  for (unsigned i = 0; i < sockets->count; i++) {
    struct registrations watches = {.fd = sockets->fd[i]};
    if (sockets->watched)
      fd_each(visit, &watches);
    dup3(dead[0], watches.fd, O_CLOEXEC);
    for (unsigned j = 0; j < watches.count; j++) {
      const struct registration *watch = &watches.registration[j];
      struct epoll_event event = {.events = watch->events, .data.u64 = watch->data};
      epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watches.fd, &event);
    }
  }
  close(dead[0]);
  own_fd_take(&handoff->far, dead[1]);
}

static enum handoff_side part(struct handoff *handoff, struct request *request,
                              const struct transfer_sockets *sockets, unsigned seconds, const int dead[2],
                              const int *also)
{
  struct idem_parting store;
  fork_lock_first();
  int rc = request->api->part(request->store, &request->op, settings()->rescues, &store);
  if (rc < 0) {
    fork_unlock_last();
    handoff->reason = rc == -EAGAIN ? "IDEMSHIM_RESCUES are under way" : "no claim or descriptor";
    return HANDOFF_FAILED;
  }
  struct isolation isolation = kept(sockets, dead, &store, seconds, also);
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);
  pid_t pid = copy_between_locks(request, &isolation, also ? IDEM_PARTED_BOTH : IDEM_PARTED_OWNER);
  if (pid == 0)
    return HANDOFF_COPY;
  if (pid > 0 && !also)
    bury(handoff, sockets, dead);
  sigprocmask(SIG_SETMASK, &before, NULL);
  handoff->reason = pid > 0         ? NULL
                    : pid == -EBUSY ? "its shared memory, io_uring or devices cannot be let go"
                                    : "the process cannot be copied";
  return pid > 0 ? HANDOFF_OWNER : HANDOFF_FAILED;
}

enum handoff_side handoff_make(struct handoff *handoff, struct request *request,
                               const struct transfer_sockets *sockets, unsigned seconds, const int *also)
{
  int dead[2] = {-1, -1}, saved = errno, cancel;
  /* A thread that its app has cancelled must not end in here, with all locks of ours; in a copy, never. */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  *handoff = HANDOFF_NONE;
  handoff->reason = "no descriptor";
  enum handoff_side side =
      make_dead(dead) ? part(handoff, request, sockets, seconds, dead, also) : HANDOFF_FAILED;
  bool unused = side == HANDOFF_FAILED || (side == HANDOFF_OWNER && also);
  for (int i = 0; unused && i < 2; i++)
    if (dead[i] >= 0)
      close(dead[i]);
  if (side != HANDOFF_COPY)
    pthread_setcancelstate(cancel, NULL);
  errno = saved;
  return side;
}

void handoff_end(struct handoff *handoff)
{
  own_fd_close(&handoff->far);
}
