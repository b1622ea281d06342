/* SPDX-License-Identifier: MIT */
#include "shim/runtime/app_stderr.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
  bool elsewhere;
  pid_t owner;
  struct stat was;
  bool lends; /* false: there was none, or what is written to it elsewhere would be written over */
  char path[PATH_MAX];
} noted;

void app_stderr_note(pid_t owner)
{
  noted.elsewhere = true;
  noted.owner = owner;
  ssize_t len = readlink("/proc/self/fd/2", noted.path, sizeof(noted.path) - 1);
  noted.path[len > 0 ? len : 0] = '\0';
  noted.lends = fstat(STDERR_FILENO, &noted.was) == 0 &&
                (!S_ISREG(noted.was.st_mode) || (fcntl(STDERR_FILENO, F_GETFL) & O_APPEND));
}

bool app_stderr_is_elsewhere(void)
{
  return noted.elsewhere;
}

/* A number may be another process's by now, and a name another file's. */
static int open_same(const char *path)
{
  struct stat is;
  int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0 || (fstat(fd, &is) == 0 && is.st_dev == noted.was.st_dev && is.st_ino == noted.was.st_ino))
    return fd;
  close(fd);
  return -1;
}

int app_stderr_open(void)
{
  char live[64];
  if (!noted.lends)
    return -1;
  snprintf(live, sizeof(live), "/proc/%ld/fd/2", (long)noted.owner);
  int fd = open_same(live);
  return fd < 0 && S_ISREG(noted.was.st_mode) ? open_same(noted.path) : fd;
}
