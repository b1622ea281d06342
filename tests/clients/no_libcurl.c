/* SPDX-License-Identifier: MIT */
/*
 * no_libcurl [WORD...]
 *
 * A program that has nothing to do with libcurl: says what it was given, what it has open and how many
 * threads it has. Built dynamic and static.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

/* Without "." and "..". */
static int count_entries(const char *path)
{
  DIR *dir = opendir(path);
  int count = -2;

  while (dir && readdir(dir))
    count++;
  if (dir)
    closedir(dir);
  return count;
}

int main(int argc, char **argv)
{
  int at_start = errno;

  for (int i = 1; i < argc; i++)
    printf("%s\n", argv[i]);
  printf("errno=%d fds=%d tasks=%d\n", at_start, count_entries("/proc/self/fd") - 1,
         count_entries("/proc/self/task"));
  return 0;
}
