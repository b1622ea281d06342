/* SPDX-License-Identifier: MIT */
#include "shim/base/driver_lock.h"

#include "shim/request/call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Added to the name of a thread, which is aligned: it is in there to copy the process. */
#define VISITS 1u

static __thread pid_t tid; /* 0: not asked yet */
static __thread bool holds_all;
static _Atomic int64_t held_until_us;

const void *gate_thread(void)
{
  return &tid;
}

static uintptr_t name(void)
{
  return (uintptr_t)gate_thread();
}

static pid_t this_tid(void)
{
  if (!tid)
    tid = (pid_t)syscall(SYS_gettid);
  return tid;
}

void gate_init(struct gate *gate)
{
  *gate = (struct gate){.depth = 0};
}

/* The bare system call: libc's would be a point at which the app may cancel its thread. */
static void sleep_us(int64_t us)
{
  struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
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
static void take(struct gate *gate)
{
  uintptr_t inside = 0;
  while (!atomic_compare_exchange_strong_explicit(&gate->inside, &inside, name(), memory_order_acquire,
                                                  memory_order_relaxed))
    if (inside & VISITS) {
      sleep_us(100);
      inside = 0;
    }
}

static void let_go(struct gate *gate)
{
  atomic_store_explicit(&gate->inside, 0, memory_order_release);
}

void gate_enter(struct gate *gate)
{
  if (gate_is_ours(gate)) {
    gate->depth++;
    return;
  }
  take(gate);
  while (is_held()) {
    let_go(gate);
    sleep_us(500);
    take(gate);
  }
  gate->user = gate_thread();
  gate->user_tid = this_tid();
  gate->depth = 1;
}

void gate_leave(struct gate *gate)
{
  if (gate && gate_is_ours(gate) && !--gate->depth)
    let_go(gate);
}

bool gate_try(struct gate *gate)
{
  uintptr_t nobody = 0;
  if (!atomic_compare_exchange_strong_explicit(&gate->inside, &nobody, name() | VISITS, memory_order_acquire,
                                               memory_order_relaxed))
    return false;
  gate->depth = 1;
  return true;
}

bool gate_is_ours(const struct gate *gate)
{
  return (atomic_load_explicit(&gate->inside, memory_order_relaxed) & ~(uintptr_t)VISITS) == name();
}

bool gate_was_ours(const struct gate *gate)
{
  return gate->user == gate_thread();
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

void gate_await_sleep(const struct gate *gate, int64_t until_us)
{
  while (!gate_was_ours(gate) && !sleeps(gate->user_tid) && monotonic_us() < until_us)
    sleep_us(100);
}

void gate_hold_all(int64_t until_us)
{
  holds_all = true;
  atomic_store_explicit(&held_until_us, until_us, memory_order_relaxed);
}

void gate_begin_anew(void)
{
  tid = 0;
  holds_all = false;
  atomic_store_explicit(&held_until_us, 0, memory_order_relaxed);
}
