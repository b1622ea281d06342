/* SPDX-License-Identifier: MIT */
#include "store/base/process.h"

#include "store/base/claim_lock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

pthread_mutex_t life_stores = PTHREAD_MUTEX_INITIALIZER, life_opening = PTHREAD_MUTEX_INITIALIZER,
                life_lists = PTHREAD_MUTEX_INITIALIZER;

static struct life {
  pthread_once_t once;
  int error;
  _Atomic(_Atomic uint32_t *)
      alive; /* on a page that the kernel clears in a child; NULL: it cannot, ask for the pid */
  _Atomic uint32_t number;
  _Atomic int pid;
} life = {.once = PTHREAD_ONCE_INIT};

static void life_renew(void)
{
  _Atomic uint32_t *alive = atomic_load(&life.alive);
  uint32_t none = 0;
  /* Only the thread that sets the word counts; 1 until then makes the others wait for the number. */
  if (alive && !atomic_compare_exchange_strong(alive, &none, 1)) {
    while (atomic_load(alive) == 1)
      ;
    return;
  }
  atomic_store(&life.pid, getpid());
  atomic_fetch_add(&life.number, 1);
  if (alive)
    atomic_store(alive, 2);
}

uint32_t life_number(void)
{
  _Atomic uint32_t *alive = atomic_load_explicit(&life.alive, memory_order_acquire);
  if (alive ? atomic_load_explicit(alive, memory_order_acquire) != 2 : life.pid != getpid())
    life_renew();
  return atomic_load_explicit(&life.number, memory_order_relaxed);
}

int life_pid(void)
{
  return atomic_load_explicit(&life.pid, memory_order_relaxed);
}

void life_hold(void)
{
  pthread_mutex_lock(&life_stores);
  pthread_mutex_lock(&life_opening);
  pthread_mutex_lock(&life_lists);
}

void life_let_go(void)
{
  pthread_mutex_unlock(&life_lists);
  pthread_mutex_unlock(&life_opening);
  pthread_mutex_unlock(&life_stores);
}

static void in_child(void)
{
  claim_abandon_all();
  life_let_go();
}

static void life_start(void)
{
  void *page =
      mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED && madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK) == 0)
    atomic_store(&life.alive, page);
  else if (page != MAP_FAILED)
    munmap(page, (size_t)sysconf(_SC_PAGESIZE));
  life.error = pthread_atfork(life_hold, life_let_go, in_child);
}

int life_begin(void)
{
  pthread_once(&life.once, life_start);
  return -life.error;
}

struct life_quiet life_hush(void)
{
  struct life_quiet quiet = {.error = errno};
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &quiet.cancel);
  return quiet;
}

void life_resume(const struct life_quiet *quiet)
{
  pthread_setcancelstate(quiet->cancel, NULL);
  errno = quiet->error;
}
