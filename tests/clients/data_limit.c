/* SPDX-License-Identifier: MIT */
/*
 * data_limit URL
 *
 * Allows itself six megabytes of data more than it has (RLIMIT_DATA), makes a call twice, and asks for five
 * of them.
 */
#include "tests/clients/post.h"

#include <sys/resource.h>

enum { MEGABYTE = 1 << 20 };

static rlim_t data_size(void)
{
  FILE *status = fopen("/proc/self/status", "re");
  unsigned long kilobytes = 0;
  char line[256];

  while (status && fgets(line, sizeof line, status))
    if (sscanf(line, "VmData: %lu", &kilobytes) == 1)
      break;
  if (status)
    fclose(status);
  return (rlim_t)kilobytes * 1024;
}

int main(int argc, char **argv)
{
  if (argc != 2)
    return 2;
  curl_global_init(CURL_GLOBAL_ALL);
  struct rlimit limit = {data_size() + 6 * MEGABYTE, RLIM_INFINITY};
  if (setrlimit(RLIMIT_DATA, &limit))
    return 2;
  int failed = post_once("first", argv[1], "{}") | post_once("second", argv[1], "{}");
  char *own = malloc(5 * MEGABYTE);
  puts(own ? "has its memory" : "has not its memory");
  free(own);
  return failed;
}
