/* SPDX-License-Identifier: MIT */
/*
 * few_descriptors WHEN FREE URL BODY
 *
 * Makes a call when all but so many of 256 descriptors are in use. WHEN is first; later, after another call,
 * which has opened the store; or counted: the same, and those in use are the program's own.
 */
#include "tests/clients/post.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
  struct rlimit limit = {256, 256};
  int top = 0, fd;

  if (argc != 5 || setrlimit(RLIMIT_NOFILE, &limit))
    return 2;
  int counted = strcmp(argv[1], "counted") == 0, free = atoi(argv[2]);
  if (counted || strcmp(argv[1], "later") == 0)
    post_once("another", argv[3], "{\"another\":true}");
  else
    curl_easy_cleanup(curl_easy_init());
  if (counted)
    for (int left = 256 - 3 - free; left > 0; left--)
      if (open("/dev/null", O_RDONLY) < 0)
        return 3;
  while (!counted && (fd = open("/dev/null", O_RDONLY)) >= 0)
    top = fd;
  for (; free > 0 && top > 2; free--)
    close(top--);
  return post_once("call", argv[3], argv[4]);
}
