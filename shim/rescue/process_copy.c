/* SPDX-License-Identifier: MIT */
#include "shim/rescue/process_copy.h"

#include "shim/base/fd_table.h"
#include "shim/rescue/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

/* As libc's own fork() has it: the kernel writes the copy's id where libc has that of this thread, and
 * clears it when the copy ends. */
#define TID_FLAGS (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

/* Copies that are our own children; more are not looked after before they are told from the app's. */
#define CHILDREN_MAX 64
static _Atomic pid_t children[CHILDREN_MAX];

/* The last two arguments, where the child's thread id goes and its TLS, are the other way round on aarch64
 * [clone(2)]. There is no stack among them: the copy goes on on its own picture of this one. */
static long raw_clone(unsigned long flags, int *tid)
{
#ifdef __x86_64__
  return syscall(SYS_clone, flags, 0, 0, tid, 0);
#else
  return syscall(SYS_clone, flags, 0, 0, 0, tid);
#endif
}

struct process_copy_kind process_copy_kind(void)
{
  struct process_copy_kind kind = {.tid = NULL};
  int inherits = 0;
  if (prctl(PR_GET_TID_ADDRESS, &kind.tid) < 0)
    kind.tid = NULL;
  if (syscall(SYS_get_robust_list, 0, &kind.robust, &kind.robust_size) < 0)
    kind.robust = NULL;
  kind.inherits = getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &inherits) == 0 && inherits);
  return kind;
}

void process_copy_leave(int status)
{
  for (;;)
    syscall(SYS_exit_group, status);
}

/* Without a status (a thread of the app waits for everything there is) the copy is taken to be made. Else it
 * is the errno for which there is none. */
static pid_t wait_for_middle(pid_t middle)
{
  int status = 0;
  pid_t got;
  do
    got = wait4(middle, &status, __WALL, NULL);
  while (got < 0 && errno == EINTR);
  return got == middle && status != 0 ? -(pid_t)WEXITSTATUS(status) : middle;
}

static pid_t remember(pid_t child)
{
  for (int i = 0; i < CHILDREN_MAX; i++) {
    pid_t none = 0;
    if (atomic_compare_exchange_strong(&children[i], &none, child))
      break;
  }
  return child;
}

/* The process between ends with 0 once the copy is there, else with the errno that is returned. Where the
 * app inherits orphans there is no such process, and a copy that could not let go is as one that has died:
 * its call is in doubt. */
pid_t process_copy_make(const struct process_copy_kind *kind)
{
  if (!kind->tid || !kind->robust)
    return -EAGAIN;
  pid_t child = (pid_t)raw_clone(kind->inherits ? TID_FLAGS : 0, kind->inherits ? kind->tid : NULL);
  if (child < 0)
    return -EAGAIN;
  if (child > 0)
    return kind->inherits ? remember(child) : wait_for_middle(child);
  if (!mappings_let_go())
    process_copy_leave(EBUSY);
  if (!kind->inherits) {
    long copy = raw_clone(TID_FLAGS | SIGCHLD, kind->tid);
    if (copy != 0)
      process_copy_leave(copy < 0 ? EAGAIN : 0);
  }
  syscall(SYS_set_robust_list, kind->robust, kind->robust_size);
  return 0;
}

/* The beginning of a file of /proc as text; "" if there is none. */
static void read_text(const char *path, char *text, size_t room)
{
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  long len = fd < 0 ? 0 : syscall(SYS_read, fd, text, room - 1);
  text[len > 0 ? len : 0] = '\0';
  if (fd >= 0)
    syscall(SYS_close, fd);
}

uint64_t process_copy_resident(void)
{
  char text[64], *at = text;
  read_text("/proc/self/statm", text, sizeof(text));
  strtoull(at, &at, 10);
  return *at == ' ' ? strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : UINT64_MAX;
}

void process_copy_reap(void)
{
  for (int i = 0; i < CHILDREN_MAX; i++) {
    pid_t child = atomic_load_explicit(&children[i], memory_order_relaxed);
    if (child && wait4(child, NULL, WNOHANG | __WALL, NULL) != 0)
      atomic_compare_exchange_strong(&children[i], &child, 0);
  }
}

/* Bare system calls here and below: the thread sanitizer knows nothing of this copy. It would take what
 * threads that are not here have opened for theirs, and wait for locks of its own that they hold. */
static void replace(void *arg, int fd)
{
  const struct isolation *isolation = arg;
  for (unsigned i = 0; i < isolation->count; i++)
    if (isolation->keep[i] == fd)
      return;
  syscall(SYS_dup3, isolation->dead, fd, O_CLOEXEC);
}

void process_copy_kill_after(unsigned seconds)
{
  struct itimerval limit = {.it_value.tv_sec = seconds};
  setitimer(ITIMER_REAL, &limit, NULL);
}

/* Where the kernel looks for the command line. The app's own is not written over: what libcurl is still to
 * send may lie there. Without privilege since 3.18, if the kernel can checkpoint [PR_SET_MM(2const)]. The
 * fields are numbered as in proc_pid_stat(5). */
static void move_command_line(char *title, size_t len)
{
  char stat[1024], *at;
  unsigned long field[52] = {0};
  read_text("/proc/self/stat", stat, sizeof(stat));
  at = strrchr(stat, ')');
  for (int i = 3; at && i < 52; i++) {
    at = strchr(at + 1, ' ');
    field[i] = at ? strtoul(at, NULL, 10) : 0;
  }
  struct prctl_mm_map map = {.start_code = field[26],
                             .end_code = field[27],
                             .start_stack = field[28],
                             .start_data = field[45],
                             .end_data = field[46],
                             .start_brk = field[47],
                             .brk = (uintptr_t)syscall(SYS_brk, 0),
                             .arg_start = (uintptr_t)title,
                             .arg_end = (uintptr_t)title + len,
                             .env_start = field[50],
                             .env_end = field[51],
                             .exe_fd = (uint32_t)-1};
  syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

void process_copy_name(const char *name, pid_t owner)
{
  static char title[256], whose[200];
  if (!whose[0])
    read_text("/proc/self/cmdline", whose, sizeof(whose));
  int len = snprintf(title, sizeof(title), "%s of %ld (%s)", name, (long)owner, whose);
  syscall(SYS_prctl, PR_SET_NAME, name);
  move_command_line(title, (size_t)len + 1);
}

/* sigaction() takes a lock since glibc 2.41, which another thread that was within fork(), posix_spawn() or
 * sigaction() holds in the copy for ever. glibc has 32 and 33 for itself. */
static void forget_handler(int number)
{
  const struct {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
  } action = {number == SIGPIPE ? SIG_IGN : SIG_DFL, 0, NULL, 0};
  if (number != 32 && number != 33)
    syscall(SYS_rt_sigaction, number, &action, NULL, sizeof(action.mask));
}

/* Signals have their defaults before they are let through, so that none runs a handler of the app's; the
 * timer, whose signal kills, is set before anything that could hang. */
void process_copy_isolate(struct isolation *isolation)
{
  static const struct rlimit none = {0, 0};
  sigset_t nothing;
  setsid();
  for (int number = 1; number < NSIG; number++)
    forget_handler(number);
  process_copy_kill_after(isolation->seconds);
  sigemptyset(&nothing);
  sigprocmask(SIG_SETMASK, &nothing, NULL);
  process_copy_name(isolation->name, isolation->owner);
  setrlimit(RLIMIT_CORE, &none);
  fd_each(replace, isolation);
}
