/* SPDX-License-Identifier: MIT */
#include "shim/base/stack.h"

#include "shim/base/libc.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Loading and opening the store, and JSON as deep as it is read: 40 KB were measured to be enough for both. A
 * stack that is not the thread's own may have no more, for coroutines are many. */
#define NEEDED         65536u
#define NEEDED_FOREIGN 40960u
/* The kernel keeps at least this free below the main thread's stack, which grows
 * [mmap_base in the kernel]. */
#define MAIN_MOST (128u << 20)
#define PAGE      4096u

/* The bounds of the calling thread's own stack; `high` is 0 until they are known. */
static __thread uintptr_t low, high;
static __thread bool grows;

/* The bytes of AT_RANDOM are where a kernel or an emulator has put them at the start: at the upper end of the
 * main thread's stack. */
static void find_bounds(void)
{
  int saved = errno;
  pthread_attr_t attributes;
  void *start = NULL;
  size_t size = 0;
  uintptr_t top = getauxval(AT_RANDOM);
  grows = syscall(SYS_gettid) == getpid();
  low = grows && top > MAIN_MOST ? top - MAIN_MOST : 0;
  high = grows && top ? top : UINTPTR_MAX;
  if (!grows && pthread_getattr_np(pthread_self(), &attributes) == 0) {
    if (pthread_attr_getstack(&attributes, &start, &size) == 0 && size) {
      low = (uintptr_t)start;
      high = low + size;
    }
    pthread_attr_destroy(&attributes);
  }
  errno = saved;
}

/* The kernel copies the mask before it finds that this is no way to change one. */
static bool is_readable(uintptr_t page)
{
  int saved = errno;
  bool readable = syscall(SYS_rt_sigprocmask, -1, page, NULL, sizeof(uint64_t)) == 0 || errno != EFAULT;
  errno = saved;
  return readable;
}

/* There is a page at the end of most that nobody may read. A stack that has none looks as long as what is
 * below it. Pages are remembered for all threads, so that the hits of coroutines that take turns cost no
 * system call. */
static bool foreign_suffices(uintptr_t here)
{
  static _Atomic(uintptr_t) known[256]; /* have enough below them */
  uintptr_t page = here & ~(uintptr_t)(PAGE - 1);
  _Atomic(uintptr_t) *slot = &known[(uint64_t)page * 0x9e3779b97f4a7c15u >> 56];
  if (atomic_load_explicit(slot, memory_order_relaxed) == page)
    return true;
  for (uintptr_t at = page; at + NEEDED_FOREIGN >= page; at -= PAGE)
    if (!is_readable(at))
      return false;
  atomic_store_explicit(slot, page, memory_order_relaxed);
  return true;
}

bool stack_suffices(void)
{
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  if (!high)
    find_bounds();
  if (here < low || here >= high)
    return foreign_suffices(here);
  return grows || here - low >= NEEDED;
}
