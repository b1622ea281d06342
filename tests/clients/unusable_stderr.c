/* SPDX-License-Identifier: MIT */
/*
 * unusable_stderr data FILE URL BODY
 *
 * A daemon that has closed its standard descriptors, and then got number 2 for a file of its own: writes to
 * it before and after a call. Its status is the call's CURLcode.
 *
 * unusable_stderr full PROGRAM...
 *
 * Becomes the program, whose stderr is a pipe that is full and that nobody reads.
 */
#include "tests/clients/post.h"

#include <fcntl.h>
#include <unistd.h>

static int daemon_with_data(char **argv)
{
  int file;

  for (int fd = 0; fd <= 2; fd++)
    close(fd);
  do
    file = open(argv[0], O_RDWR | O_CREAT | O_TRUNC, 0600);
  while (file >= 0 && file < 2);
  if (file != 2 || write(file, "before ", 7) != 7)
    return 2;
  struct reply reply = {0};
  CURL *handle = post_new(argv[1], argv[2], &reply);
  int code = (int)curl_easy_perform(handle);
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return write(file, "after\n", 6) == 6 ? code : 2;
}

static int become(char **argv)
{
  static const char filling[4096];
  int ends[2];

  if (pipe(ends) || fcntl(ends[1], F_SETFL, O_NONBLOCK))
    return 2;
  while (write(ends[1], filling, sizeof filling) > 0)
    ;
  if (fcntl(ends[1], F_SETFL, 0) || dup2(ends[1], 2) < 0)
    return 2;
  execvp(argv[0], argv);
  return 2;
}

int main(int argc, char **argv)
{
  if (argc == 5 && strcmp(argv[1], "data") == 0)
    return daemon_with_data(argv + 2);
  if (argc > 2 && strcmp(argv[1], "full") == 0)
    return become(argv + 2);
  fprintf(stderr, "usage: unusable_stderr data FILE URL BODY | unusable_stderr full PROGRAM...\n");
  return 2;
}
