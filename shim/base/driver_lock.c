/* SPDX-License-Identifier: MIT */
#include "shim/base/driver_lock.h"

#include "shim/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Added to the name of a thread, which is aligned: it is in there to copy the process. */
#define VISITS 1u

static __thread pid_t tid; /* 0: not asked yet */
static __thread bool holds_all;
static _Atomic int64_t held_until_us;

const void *this_thread(void)
{
  return &tid;
}

static uintptr_t name(void)
{
  return (uintptr_t)this_thread();
}

static pid_t this_tid(void)
{
  if (!tid)
    tid = (pid_t)syscall(SYS_gettid);
  return tid;
}

void driver_lock_init(struct driver_lock *driver_lock)
{
  *driver_lock = (struct driver_lock){.depth = 0};
}

/* The bare system call: libc's would be a point at which the app may cancel its thread. */
static void sleep_us(int64_t us)
{
  struct timespec time = clock_timespec(us);
  int saved = errno;
  syscall(SYS_nanosleep, &time, NULL);
  errno = saved;
}

static bool is_held(void)
{
  int64_t until_us = atomic_load_explicit(&held_until_us, memory_order_relaxed);
  return __builtin_expect(until_us != 0, 0) && !holds_all && monotonic_us() < until_us;
}

/* Waits until nobody copies the process, and takes it over from anybody else. */
static void take(struct driver_lock *driver_lock)
{
  uintptr_t inside = 0;
  while (!atomic_compare_exchange_strong_explicit(&driver_lock->inside, &inside, name(), memory_order_acquire,
                                                  memory_order_relaxed))
    if (inside & VISITS) {
      sleep_us(100);
      inside = 0;
    }
}

static void let_go(struct driver_lock *driver_lock)
{
  atomic_store_explicit(&driver_lock->inside, 0, memory_order_release);
}

void driver_lock_enter(struct driver_lock *driver_lock)
{
  if (driver_lock_is_ours(driver_lock)) {
    driver_lock->depth++;
    return;
  }
  take(driver_lock);
  while (is_held()) {
    let_go(driver_lock);
    sleep_us(500);
    take(driver_lock);
  }
  driver_lock->user = this_thread();
  driver_lock->user_tid = this_tid();
  driver_lock->depth = 1;
}

void driver_lock_leave(struct driver_lock *driver_lock)
{
  if (driver_lock && driver_lock_is_ours(driver_lock) && !--driver_lock->depth)
    let_go(driver_lock);
}

bool driver_lock_try(struct driver_lock *driver_lock)
{
  uintptr_t nobody = 0;
  if (!atomic_compare_exchange_strong_explicit(&driver_lock->inside, &nobody, name() | VISITS,
                                               memory_order_acquire, memory_order_relaxed))
    return false;
  driver_lock->depth = 1;
  return true;
}

bool driver_lock_is_ours(const struct driver_lock *driver_lock)
{
  return (atomic_load_explicit(&driver_lock->inside, memory_order_relaxed) & ~(uintptr_t)VISITS) == name();
}

bool driver_lock_was_ours(const struct driver_lock *driver_lock)
{
  return driver_lock->user == this_thread();
}

/* The state is the field after the name, which may have any character in it. A thread that cannot be asked
 * about is gone. */
static bool sleeps(pid_t thread)
{
  char text[256] = "";
  snprintf(text, sizeof(text), "/proc/self/task/%d/stat", (int)thread);
  int fd = open(text, O_RDONLY | O_CLOEXEC);
  ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
  if (fd >= 0)
    close(fd);
  text[len > 0 ? len : 0] = '\0';
  const char *name_end = strrchr(text, ')');
  return len <= 0 || !name_end || strncmp(name_end, ") S", 3) == 0;
}

void driver_lock_await_sleep(const struct driver_lock *driver_lock, int64_t until_us)
{
  while (!driver_lock_was_ours(driver_lock) && !sleeps(driver_lock->user_tid) && monotonic_us() < until_us)
    sleep_us(100);
}

void driver_lock_hold_all(int64_t until_us)
{
  holds_all = true;
  atomic_store_explicit(&held_until_us, until_us, memory_order_relaxed);
}

void driver_lock_after_fork(void)
{
  tid = 0;
  holds_all = false;
  atomic_store_explicit(&held_until_us, 0, memory_order_relaxed);
}
