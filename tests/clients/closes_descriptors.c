/* SPDX-License-Identifier: MIT */
/*
 * closes_descriptors HOW URL
 *
 * Makes a call, closes descriptors that it does not know, as a daemon does when it starts, and makes two calls more
 * and the first one again. HOW is close (each by itself), range (close_range), or reuse: the numbers are those of its
 * own files afterwards, which it looks at in the end.
 */
#include "tests/clients/post.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST = 3, LAST = 200, FILES = 60 };

static int files[FILES];

static void close_all(const char *how)
{
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

int main(int argc, char **argv)
{
  int failed;

  if (argc != 3)
    return 2;
  failed = post_once("a", argv[2], "{\"call\":\"a\"}");
  close_all(argv[1]);
  failed |= post_once("b", argv[2], "{\"call\":\"b\"}");
  failed |= post_once("c", argv[2], "{\"call\":\"c\"}");
  failed |= post_once("a", argv[2], "{\"call\":\"a\"}");
  return files_are_whole() ? failed : 3;
}
