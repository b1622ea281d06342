/* SPDX-License-Identifier: MIT */
/*
 * What a test's process has in use, before and after something that is to leave nothing behind.
 *
 *     size_t heap = heap_in_use();
 *     int open = open_count();
 *     ...
 *     cr_expect_eq(open_count(), open);
 */
#ifndef TESTS_UNIT_IN_USE_H
#define TESTS_UNIT_IN_USE_H

#include <fcntl.h>
#include <malloc.h>
#include <stddef.h>

/* Bytes of pieces that are not free. Since glibc 2.33 they may be more than 4 GiB. */
static inline size_t heap_in_use(void)
{
#if __GLIBC_PREREQ(2, 33)
  return mallinfo2().uordblks;
#else
  return (unsigned)mallinfo().uordblks;
#endif
}

/* Descriptors behind the standard ones. */
static inline int open_count(void)
{
  int count = 0;
  for (int fd = 3; fd < 256; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

#endif
