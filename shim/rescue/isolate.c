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

static bool is_kept(const struct sole *sole, int fd)
{
  for (unsigned i = 0; i < sole->count; i++)
    if (sole->keep[i] == fd)
      return true;
  return false;
}

/* Bare system calls here and below: the thread sanitizer knows nothing of this copy. It would take what
 * threads that are not here have opened for theirs, and wait for locks of its own that they hold. */
static void replace(void *arg, int fd)
{
  const struct sole *sole = arg;
  if (!is_kept(sole, fd))
    syscall(SYS_dup3, sole->dead, fd, O_CLOEXEC);
}

static void forget_handlers(void)
{
  for (int number = 1; number < NSIG; number++) {
    struct sigaction action = {.sa_handler = number == SIGPIPE ? SIG_IGN : SIG_DFL};
    sigaction(number, &action, NULL);
  }
}

void sole_end_within(unsigned seconds)
{
  struct itimerval limit = {.it_value.tv_sec = seconds};
  setitimer(ITIMER_REAL, &limit, NULL);
}

void sole_become(struct sole *sole)
{
  static const struct rlimit none = {0, 0};
  sigset_t nothing;
  setsid();
  forget_handlers();
  sole_end_within(sole->seconds);
  sigemptyset(&nothing);
  sigprocmask(SIG_SETMASK, &nothing, NULL);
  syscall(SYS_prctl, PR_SET_NAME, "idemshim-rescue");
  setrlimit(RLIMIT_CORE, &none);
  descriptors_each(replace, sole);
}
