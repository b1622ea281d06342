/* SPDX-License-Identifier: MIT */
/*
 * file_limit BYTES URL BODY
 *
 * Makes a call, allows itself files of so many bytes from then on (RLIMIT_FSIZE), and makes the call of BODY
 * twice. A write past the limit would kill it by SIGXFSZ.
 */
#include "tests/clients/post.h"

#include <sys/resource.h>

int main(int argc, char **argv)
{
  if (argc != 4)
    return 2;
  struct rlimit limit = {strtoul(argv[1], NULL, 10), RLIM_INFINITY};
  int failed = post_once("before", argv[2], "{\"before\":true}");
  if (setrlimit(RLIMIT_FSIZE, &limit))
    return 2;
  for (int i = 0; i < 2; i++)
    failed |= post_once("limited", argv[2], argv[3]);
  return failed;
}
