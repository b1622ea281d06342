/* SPDX-License-Identifier: MIT */
#include "shim/runtime/app_stderr.h"

#include "config/kernel.h"
#include "shim/base/libc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* As it was at the start: written by the constructor, which is alone. It is in a page that every program has
 * already, and among what is zero it would have one of its own. */
static struct {
  bool noted, open;
  dev_t device;
  ino_t inode;
  mode_t mode;
} at_start __attribute__((section(".data")));

/* In a copy, which has one thread. */
static struct {
  bool is_copy;
  pid_t owner;
  bool lends; /* false: there was none, or what is written to it elsewhere would be written over */
  char path[PATH_MAX];
} copied;

/* A call from before the constructors (.preinit_array) comes before this, and then it is looked at there. */
__attribute__((constructor)) static void note(void)
{
  struct stat status;
  if (at_start.noted || !libc_suffices())
    return;
  at_start.noted = true;
  at_start.open = !getauxval(AT_SECURE) && idem_fstat(STDERR_FILENO, &status) == 0;
  if (!at_start.open)
    return;
  at_start.device = status.st_dev;
  at_start.inode = status.st_ino;
  at_start.mode = status.st_mode;
}

/* A number may be another process's by now, and a name another file's. Two sockets have two numbers, as two
 * pipes have. */
static bool is_the_same(int fd)
{
  struct stat status;
  return at_start.open && idem_fstat(fd, &status) == 0 && status.st_dev == at_start.device &&
         status.st_ino == at_start.inode && (status.st_mode & S_IFMT) == (at_start.mode & S_IFMT);
}

/* The two are held back, and taken off the queue if it was we who raised them. glibc's sigprocmask() is that
 * of the thread, and unlike pthread_sigmask() in libc of every version. */
ssize_t app_stderr_write_without_signal(int fd, const char *text, size_t len)
{
  sigset_t raised, pending, before;
  sigemptyset(&raised);
  sigaddset(&raised, SIGPIPE);
  sigaddset(&raised, SIGXFSZ);
  sigpending(&pending);
  sigprocmask(SIG_BLOCK, &raised, &before);
  ssize_t written = write(fd, text, len);
  int number = written >= 0 ? 0 : errno == EPIPE ? SIGPIPE : errno == EFBIG ? SIGXFSZ : 0;
  sigdelset(&raised, number == SIGPIPE ? SIGXFSZ : SIGPIPE);
  if (number && !sigismember(&pending, number))
    sigtimedwait(&raised, NULL, &(struct timespec){0});
  sigprocmask(SIG_SETMASK, &before, NULL);
  return written;
}

/* A server that inetd has started has its client there, who is not to read of us. */
static ssize_t write_to_socket(int fd, const char *line, size_t len)
{
  int domain = 0;
  socklen_t size = sizeof(domain);
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_UNIX)
    return -1;
  return send(fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* O_NONBLOCK is of the open file, which the app has in common with others, so a pipe is opened anew for each
 * line. Where that is not allowed, and for a terminal, it is asked whether there is room: somebody else may
 * take that before us, but not all of it. */
static ssize_t write_without_waiting(int fd, const char *line, size_t len)
{
  struct pollfd room = {.fd = fd, .events = POLLOUT};
  int own = -1;
  if (S_ISSOCK(at_start.mode))
    return write_to_socket(fd, line, len);
  if (S_ISFIFO(at_start.mode)) {
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    own = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (own < 0 && errno == ENXIO)
      return -1;
  }
  ssize_t written = -1;
  if (own >= 0 || S_ISREG(at_start.mode) || (poll(&room, 1, 0) == 1 && room.revents == POLLOUT))
    written = app_stderr_write_without_signal(own >= 0 ? own : fd, line, len);
  if (own >= 0)
    close(own);
  return written;
}

static int open_same(const char *path)
{
  int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0 || is_the_same(fd))
    return fd;
  close(fd);
  return -1;
}

/* The app is gone, or has another one by now: then -1, but for a file. */
static int open_in_copy(void)
{
  char live[64];
  if (!copied.lends)
    return -1;
  snprintf(live, sizeof(live), "/proc/%ld/fd/2", (long)copied.owner);
  int fd = open_same(live);
  return fd < 0 && S_ISREG(at_start.mode) ? open_same(copied.path) : fd;
}

bool app_stderr_write(const char *line, size_t len)
{
  note();
  int fd = copied.is_copy ? open_in_copy() : STDERR_FILENO;
  ssize_t written = -1;
  if (fd >= 0 && is_the_same(fd))
    written = write_without_waiting(fd, line, len);
  if (fd >= 0 && copied.is_copy)
    close(fd);
  return written == (ssize_t)len;
}

bool app_stderr_is_of_copy(void)
{
  return copied.is_copy;
}

void app_stderr_in_copy(pid_t owner)
{
  copied.is_copy = true;
  copied.owner = owner;
  ssize_t len = readlink("/proc/self/fd/2", copied.path, sizeof(copied.path) - 1);
  copied.path[len > 0 ? len : 0] = '\0';
  copied.lends =
      is_the_same(STDERR_FILENO) && (!S_ISREG(at_start.mode) || (fcntl(STDERR_FILENO, F_GETFL) & O_APPEND));
}
