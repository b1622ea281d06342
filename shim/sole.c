/* SPDX-License-Identifier: MIT */
#include "shim/sole.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/* Where /proc is not mounted. */
#define DESCRIPTORS_MOST 65536

static bool is_kept(const struct sole *sole, int fd)
{
  for (unsigned i = 0; i < sole->count; i++)
    if (sole->keep[i] == fd)
      return true;
  return false;
}

static void replace(const struct sole *sole, int fd)
{
  if (!is_kept(sole, fd))
    dup3(sole->dead, fd, O_CLOEXEC);
}

static int number_of(const char *digits)
{
  int number = 0;
  for (; *digits >= '0' && *digits <= '9'; digits++)
    number = number * 10 + (*digits - '0');
  return *digits ? -1 : number;
}

/* The kernel's own layout [getdents64(2)]; opendir() would allocate, and another thread may have held that
 * lock. */
struct entry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

static bool replace_listed(const struct sole *sole)
{
  _Alignas(8) char room[4096];
  int listing = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  long len = -1;
  if (listing < 0)
    return false;
  while ((len = syscall(SYS_getdents64, listing, room, sizeof(room))) > 0)
    for (long at = 0; at < len;) {
      const struct entry *entry = (const struct entry *)(room + at);
      int fd = number_of(entry->name);
      if (entry->name[0] != '.' && fd >= 0 && fd != listing)
        replace(sole, fd);
      at += entry->size;
    }
  close(listing);
  return len == 0;
}

static void replace_all(const struct sole *sole)
{
  for (int fd = 0; fd < DESCRIPTORS_MOST; fd++)
    if (fcntl(fd, F_GETFD) >= 0)
      replace(sole, fd);
}

static void forget_handlers(void)
{
  for (int number = 1; number < NSIG; number++)
    signal(number, number == SIGPIPE ? SIG_IGN : SIG_DFL);
}

/* A copy that waits for a lock that no thread is there to open ends all the same. */
static void set_watchdog(unsigned seconds)
{
  struct itimerval limit = {.it_value.tv_sec = seconds};
  setitimer(ITIMER_REAL, &limit, NULL);
}

void sole_become(const struct sole *sole)
{
  static const struct rlimit none = {0, 0};
  sigset_t nothing;
  set_watchdog(sole->seconds);
  forget_handlers();
  setsid();
  prctl(PR_SET_NAME, "idemshim-rescue");
  setrlimit(RLIMIT_CORE, &none);
  if (!replace_listed(sole))
    replace_all(sole);
  sigemptyset(&nothing);
  sigprocmask(SIG_SETMASK, &nothing, NULL);
}
