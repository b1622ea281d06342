/* SPDX-License-Identifier: MIT */
/*
 * closes_descriptors HOW URL
 *
 * Makes a call, closes descriptors that it does not know, as a daemon does when it starts, and makes two
 * calls more and the first one again. HOW is close (each by itself), range (close_range), daemon (each by
 * itself, in a child that goes on), reuse or dup: the numbers are those of its own files afterwards (by dup2
 * alone, those that are open), which it looks at in the end.
 */
#include "tests/clients/post.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST = 3, LAST = 200, FILES = 60 };

static int files[FILES];

static void close_all(const char *how)
{
  if (strcmp(how, "dup") == 0) {
    for (int fd = FIRST, i = 0; fd < LAST && i < FILES; fd++)
      if (fcntl(fd, F_GETFD) >= 0)
        files[i++] = dup2(memfd_create("app", 0), fd);
    return;
  }
#ifdef SYS_close_range
  if (strcmp(how, "range") == 0 && syscall(SYS_close_range, FIRST, ~0u, 0) == 0)
    return;
#endif
  for (int fd = FIRST; fd < LAST; fd++)
    close(fd);
  for (int i = 0; strcmp(how, "reuse") == 0 && i < FILES; i++)
    files[i] = memfd_create("app", 0);
}

/* Nobody has written to them, moved or closed them. */
static int files_are_whole(void)
{
  struct stat status;

  for (int i = 0; i < FILES && files[i]; i++)
    if (fstat(files[i], &status) || status.st_size || lseek(files[i], 0, SEEK_CUR))
      return 0;
  return 1;
}

/* Whoever waits for a daemon's end sees what its calls came to. */
static void become_daemon(void)
{
  int status = 0;
  pid_t child = fork();

  if (child > 0)
    _exit(waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 4);
  setsid();
}

int main(int argc, char **argv)
{
  int failed;

  if (argc != 3)
    return 2;
  failed = post_once("a", argv[2], "{\"call\":\"a\"}");
  if (strcmp(argv[1], "daemon") == 0)
    become_daemon();
  close_all(argv[1]);
  failed |= post_once("b", argv[2], "{\"call\":\"b\"}");
  failed |= post_once("c", argv[2], "{\"call\":\"c\"}");
  failed |= post_once("a", argv[2], "{\"call\":\"a\"}");
  return files_are_whole() ? failed : 3;
}
