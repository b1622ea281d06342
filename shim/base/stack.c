/* SPDX-License-Identifier: MIT */
#include "shim/base/stack.h"

#include "shim/base/libc.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Loading and opening the store, and JSON as deep as it is read: 40 KB were measured to be enough for both.
 */
#define NEEDED 65536u

/* The bounds of the calling thread's stack; `high` is 0 until they are known, and 1 for the main thread,
 * whose stack grows. */
static __thread uintptr_t low, high;

static void find_bounds(void)
{
  int saved = errno;
  pthread_attr_t attributes;
  void *start = NULL;
  size_t size = 0;
  high = 1;
  if (syscall(SYS_gettid) != getpid() && pthread_getattr_np(pthread_self(), &attributes) == 0) {
    if (pthread_attr_getstack(&attributes, &start, &size) == 0 && size) {
      low = (uintptr_t)start;
      high = low + size;
    }
    pthread_attr_destroy(&attributes);
  }
  errno = saved;
}

bool stack_suffices(void)
{
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  if (!high)
    find_bounds();
  return here < low || here >= high || here - low >= NEEDED;
}
