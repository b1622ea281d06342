/* SPDX-License-Identifier: MIT */
#include "store/base/process.h"

#include "config/kernel.h"
#include "config/old_glibc.h"
#include "store/base/fd.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

pthread_mutex_t process_lock_stores = PTHREAD_MUTEX_INITIALIZER,
                process_lock_opening = PTHREAD_MUTEX_INITIALIZER,
                process_lock_lists = PTHREAD_MUTEX_INITIALIZER;

/*
 * `alive` is a word on a page that the kernel clears in a child (MADV_WIPEONFORK, Linux 4.14): 2 while this
 * is the process that has set it. NULL where that cannot be had; then each call asks for the pid.
 */
static struct {
  int error; /* of registering */
  _Atomic(_Atomic uint32_t *) alive;
  _Atomic uint32_t number;
  _Atomic int pid;
  _Atomic uint32_t pid_namespace;
} life;

/* The first call of a new process. */
static void renew(void)
{
  _Atomic uint32_t *alive = atomic_load(&life.alive);
  uint32_t none = 0;
  /* Only the thread that sets the word counts; 1 until then makes the others wait for the number. */
  if (alive && !atomic_compare_exchange_strong(alive, &none, 1)) {
    while (atomic_load(alive) == 1)
      ;
    return;
  }
  struct stat own;
  int before = errno;
  bool known = idem_fstatat(AT_FDCWD, "/proc/self/ns/pid", &own, 0) == 0;
  atomic_store(&life.pid, getpid());
  atomic_store(&life.pid_namespace, known ? (uint32_t)own.st_ino : 0);
  errno = before;
  atomic_fetch_add(&life.number, 1);
  if (alive)
    atomic_store(alive, 2);
}

uint32_t process_generation(void)
{
  _Atomic uint32_t *alive = atomic_load_explicit(&life.alive, memory_order_acquire);
  if (alive ? atomic_load_explicit(alive, memory_order_acquire) != 2 : life.pid != getpid())
    renew();
  return atomic_load_explicit(&life.number, memory_order_relaxed);
}

int process_pid(void)
{
  return atomic_load_explicit(&life.pid, memory_order_relaxed);
}

uint32_t process_pid_namespace(void)
{
  return atomic_load_explicit(&life.pid_namespace, memory_order_relaxed);
}

void process_lock_all(void)
{
  pthread_mutex_lock(&process_lock_stores);
  pthread_mutex_lock(&process_lock_opening);
  pthread_mutex_lock(&process_lock_lists);
}

void process_unlock_all(void)
{
  pthread_mutex_unlock(&process_lock_lists);
  pthread_mutex_unlock(&process_lock_opening);
  pthread_mutex_unlock(&process_lock_stores);
}

/* Claims are locks of the parent; its descriptors must not keep them alive here. And an emulator may take
 * MADV_WIPEONFORK and do nothing (qemu-user before 8.1), which would leave this process with its parent's
 * LMDB. */
void process_unlock_in_child(void)
{
  _Atomic uint32_t *alive = atomic_load(&life.alive);
  if (alive)
    atomic_store(alive, 0);
  fd_end_others(FD_CLAIM, 0, 0);
  process_unlock_all();
}

static bool hosted; /* constant from before the first use */

static void register_fork(void)
{
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED && madvise(page, size, MADV_WIPEONFORK) == 0)
    atomic_store(&life.alive, page);
  else if (page != MAP_FAILED)
    munmap(page, size);
  life.error = hosted ? 0 : pthread_atfork(process_lock_all, process_unlock_all, process_unlock_in_child);
}

void process_host_forks(void)
{
  hosted = true;
}

/* A child of a fork in the middle of it sees the pid of its parent. The thread sanitizer's pthread_once()
 * would wait there for a thread of the parent. */
void process_once(_Atomic int *once, void (*start)(void))
{
  enum { DONE = -1, TRIES = 10000, PAUSE_US = 100 };
  int pid = *once, tries = 0;
  for (; pid != DONE && tries < TRIES; pid = *once, tries++) {
    if (pid == getpid()) {
      usleep(PAUSE_US);
    } else if (atomic_compare_exchange_strong(once, &pid, getpid())) {
      start();
      *once = DONE;
    }
  }
}

int process_register_fork(void)
{
  static _Atomic int registered;
  process_once(&registered, register_fork);
  return -life.error;
}
