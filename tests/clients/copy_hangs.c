/* SPDX-License-Identifier: MIT */
/*
 * copy_hangs URL BODY MS
 *
 * Gives a call up after MS milliseconds, in a program whose copies never come back from poll(): what a lock
 * does that was closed when the process was copied. Made again later, the call needs no copy.
 */
#include "tests/clients/post.h"

#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pid_t program;

/* libcurl's own waits come here, for the program has this name. */
__attribute__((visibility("default"))) int poll(struct pollfd *fds, nfds_t count, int timeout)
{
  while (getpid() != program)
    pause();
  struct timespec limit = {timeout / 1000, timeout % 1000 * 1000000L};
  return (int)syscall(SYS_ppoll, fds, count, timeout < 0 ? NULL : &limit, NULL, 0);
}

int main(int argc, char **argv)
{
  struct reply reply = {0};
  CURL *handle;

  if (argc != 4) {
    fprintf(stderr, "usage: copy_hangs URL BODY MS\n");
    return 2;
  }
  program = getpid();
  handle = post_new(argv[1], argv[2], &reply);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, atol(argv[3]));
  reply_print("copy_hangs", handle, curl_easy_perform(handle), &reply);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return 0;
}
