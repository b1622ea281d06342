/* SPDX-License-Identifier: MIT */
/*
 * confined DIR URL
 *
 * Makes a call, confines itself to DIR as daemons do (chroot), and makes another one and the first again.
 * Prints a line for each. Exits 3 where it may not do that.
 */
#include "tests/clients/post.h"

#include <unistd.h>

int main(int argc, char **argv)
{
  if (argc != 3)
    return 2;
  int failed = post_once("free", argv[2], "{\"prompt\":1}");
  if (chroot(argv[1]) != 0 || chdir("/") != 0)
    return 3;
  failed += post_once("confined", argv[2], "{\"prompt\":2}");
  failed += post_once("again", argv[2], "{\"prompt\":1}");
  return failed != 0;
}
