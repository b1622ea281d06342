/* SPDX-License-Identifier: MIT */
#include "shim/rescue/isolate.h"

#include "shim/base/fd_table.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static bool is_kept(const struct isolation *isolation, int fd)
{
  for (unsigned i = 0; i < isolation->count; i++)
    if (isolation->keep[i] == fd)
      return true;
  return false;
}

/* Bare system calls here and below: the thread sanitizer knows nothing of this copy. It would take what
 * threads that are not here have opened for theirs, and wait for locks of its own that they hold. */
static void replace(void *arg, int fd)
{
  const struct isolation *isolation = arg;
  if (!is_kept(isolation, fd))
    syscall(SYS_dup3, isolation->dead, fd, O_CLOEXEC);
}

static void forget_handlers(void)
{
  for (int number = 1; number < NSIG; number++) {
    struct sigaction action = {.sa_handler = number == SIGPIPE ? SIG_IGN : SIG_DFL};
    sigaction(number, &action, NULL);
  }
}

void isolate_kill_after(unsigned seconds)
{
  struct itimerval limit = {.it_value.tv_sec = seconds};
  setitimer(ITIMER_REAL, &limit, NULL);
}

void isolate_process(struct isolation *isolation)
{
  static const struct rlimit none = {0, 0};
  sigset_t nothing;
  setsid();
  forget_handlers();
  isolate_kill_after(isolation->seconds);
  sigemptyset(&nothing);
  sigprocmask(SIG_SETMASK, &nothing, NULL);
  syscall(SYS_prctl, PR_SET_NAME, "idemshim-rescue");
  setrlimit(RLIMIT_CORE, &none);
  fd_each(replace, isolation);
}
