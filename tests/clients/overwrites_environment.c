/* SPDX-License-Identifier: MIT */
/*
 * overwrites_environment URL BODY
 *
 * Writes its title over the environment that it was started with, as daemons do for ps(1), and has an empty
 * one. Then it makes the same call twice.
 */
#include "tests/clients/post.h"

extern char **environ;

int main(int argc, char **argv)
{
  char *first = environ[0], *last = first;

  if (argc != 3)
    return 2;
  for (char **at = environ; *at; at++)
    last = *at + strlen(*at);
  clearenv();
  memset(first, ' ', (size_t)(last - first));
  memcpy(first, "worker", 6);
  return post_once("one", argv[1], argv[2]) | post_once("two", argv[1], argv[2]);
}
