/* SPDX-License-Identifier: MIT */
/*
 * few_descriptors WHEN FREE URL BODY
 *
 * Makes a call when all but so many of 256 descriptors are in use. WHEN is first, or later: after another call,
 * which has opened the store.
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
  if (strcmp(argv[1], "later") == 0)
    post_once("another", argv[3], "{\"another\":true}");
  else
    curl_easy_cleanup(curl_easy_init());
  while ((fd = open("/dev/null", O_RDONLY)) >= 0)
    top = fd;
  for (int free = atoi(argv[2]); free > 0 && top > 2; free--)
    close(top--);
  return post_once("call", argv[3], argv[4]);
}
