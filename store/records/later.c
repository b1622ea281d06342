/* SPDX-License-Identifier: MIT */
#include "store/records/later.h"

#include "config/old_glibc.h"
#include "config/thread.h"
#include "store/base/clock.h"
#include "store/base/process.h"
#include "store/lmdb/gate.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define IDLE_US 50000

/* All of it under the lock of the lists, which fork() takes. */
static struct {
  struct later *first, **last;
  size_t bytes;       /* of the records that are not written yet */
  uint32_t life;      /* of the process that it is of */
  _Atomic int thread; /* its id; 0: it is known to have gone */
  bool started, running, writing;
  _Atomic bool rests; /* nothing is to come */
  bool over;          /* the process ends, and waits for no more */
  pthread_cond_t changed, written;
} all;

static void begin_in_this_process(void)
{
  pthread_condattr_t attributes;
  if (all.life == process_generation())
    return;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&all.changed, &attributes);
  pthread_cond_init(&all.written, &attributes);
  pthread_condattr_destroy(&attributes);
  all.first = NULL;
  all.last = &all.first;
  all.bytes = 0;
  all.thread = 0;
  all.rests = false;
  all.started = all.running = all.writing = all.over = false;
  all.life = process_generation();
}

/* False when it is time. */
static bool sleep_until(pthread_cond_t *condition, int64_t us)
{
  struct timespec until = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
  return pthread_cond_timedwait(condition, &process_lock_lists, &until) != ETIMEDOUT;
}

/* Those of one store, which are one batch. */
static struct later *take(void)
{
  struct later *taken = NULL, **end = &taken, **at = &all.first;
  for (struct later *later; (later = *at);) {
    if (taken && later->store != taken->store) {
      at = &later->next;
      continue;
    }
    *at = later->next;
    *end = later;
    end = &later->next;
    *end = NULL;
  }
  all.last = at;
  all.started = all.first;
  return taken;
}

/* What is large, or could not be written together, is written by each alone. */
static void store_all(struct later *first)
{
  struct batch_own *together = NULL, **last = &together;
  int64_t deadline = 0;
  for (struct later *later = first; later; later = later->next) {
    if (later->deadline_us && (!deadline || later->deadline_us < deadline))
      deadline = later->deadline_us;
    later->own->next = NULL;
    if (later->own->record.len > BATCH_WITHIN)
      continue;
    *last = later->own;
    last = &later->own->next;
  }
  GATE_UNTIL(deadline);
  if (together && together->next)
    batch_commit_all(first->store, together, NULL);
  for (struct later *later = first; later; later = later->next) {
    gate_until(later->deadline_us);
    if (!later->own->done)
      later->own->verdict = batch_commit_with_room(later->store, later->own, &later->error);
  }
}

/* Whoever has one may end when it is done, and the one that is left has nobody else. */
static struct later *tell(struct later *first)
{
  struct later *left = NULL;
  for (struct later *later; (later = first);) {
    first = later->next;
    later->is_done = true;
    all.bytes -= later->own->record.len;
    if (later->left) {
      later->next = left;
      left = later;
    } else {
      later->done(later->arg);
    }
  }
  all.writing = left;
  pthread_cond_broadcast(&all.written);
  return left;
}

static bool has_work(void)
{
  int64_t until = clock_steady_us() + IDLE_US;
  while (!all.started && (all.first || !all.rests) && sleep_until(&all.changed, until))
    ;
  /* What was added, and never started, too. */
  return all.first;
}

static void *run(void *unused)
{
  pthread_mutex_lock(&process_lock_lists);
  all.thread = (int)syscall(SYS_gettid);
  while (has_work()) {
    struct later *first = take();
    all.writing = true;
    pthread_mutex_unlock(&process_lock_lists);
    store_all(first);
    for (struct later *later = first; later; later = later->next)
      later->written(later);
    pthread_mutex_lock(&process_lock_lists);
    struct later *left = tell(first);
    pthread_mutex_unlock(&process_lock_lists);
    for (struct later *later; (later = left);) {
      left = later->next;
      later->left(later);
    }
    pthread_mutex_lock(&process_lock_lists);
    all.writing = false;
    pthread_cond_broadcast(&all.written);
  }
  all.running = false;
  pthread_mutex_unlock(&process_lock_lists);
  return unused;
}

/* The kernel knows it for a moment after its last instruction. */
void later_rest(void)
{
  enum { LONGEST_US = 1000000, PAUSE_LEAST_US = 10, PAUSE_MOST_US = 1000 };
  int thread = all.thread;
  if (!thread)
    return;
  pthread_mutex_lock(&process_lock_lists);
  bool rests = !all.first && !all.writing;
  all.rests = rests;
  pthread_cond_signal(&all.changed);
  pthread_mutex_unlock(&process_lock_lists);
  int64_t until = clock_steady_us() + LONGEST_US;
  for (unsigned us = PAUSE_LEAST_US; rests; us = us < PAUSE_MOST_US ? us * 2 : us) {
    if (syscall(SYS_tgkill, getpid(), thread, 0) < 0) {
      atomic_compare_exchange_strong(&all.thread, &thread, 0);
      return;
    }
    usleep(us);
    /* Another of the app's threads may have more for it. */
    rests = all.rests && clock_steady_us() < until;
  }
}

/* A signal's handler may have interrupted whoever has the lock, and be who calls exit(). */
static void finish(void)
{
  enum { TRIES = 1000 };
  QUIET();
  for (int i = 0; pthread_mutex_trylock(&process_lock_lists); i++)
    if (i == TRIES || sched_yield() < 0)
      return;
  begin_in_this_process();
  int64_t until = clock_steady_us() + LATER_AT_EXIT_S * INT64_C(1000000);
  bool ours = all.running;
  if (ours && all.first) {
    all.started = true;
    pthread_cond_signal(&all.changed);
  }
  while (ours && (all.first || all.writing) && sleep_until(&all.written, until))
    ;
  all.over = true;
  pthread_mutex_unlock(&process_lock_lists);
}

static bool start_thread(void)
{
  static bool registered;
  if (!registered) {
    atexit(finish);
    at_quick_exit(finish);
    registered = true;
  }
  return idem_thread_start(run);
}

/* Under the lock. False at the end of the call's time, or of the thread. */
static bool wait_for_writer(const struct later *later)
{
  all.started |= all.first != NULL;
  pthread_cond_signal(&all.changed);
  if (!later->deadline_us)
    pthread_cond_wait(&all.written, &process_lock_lists);
  return later->deadline_us ? sleep_until(&all.written, later->deadline_us) : true;
}

/* Who has to write himself would find the thread in the gate, whose patience is short. */
static bool refuse(const struct later *later, char *record)
{
  free(record);
  while ((all.first || all.writing) && wait_for_writer(later))
    ;
  return false;
}

bool later_add(struct later *later)
{
  struct batch_own *own = later->own;
  size_t len = record_size(own->draft);
  char *record = len ? malloc(len) : NULL;
  bool made = record && record_write(own->draft, record) == 0;
  PROCESS_LOCKED(lists);
  begin_in_this_process();
  while (made && all.bytes && all.bytes + len > LATER_BYTES)
    if (!wait_for_writer(later))
      return refuse(later, record);
  if (!made || all.over || (!all.running && !(all.running = start_thread())))
    return refuse(later, record);
  all.bytes += len;
  all.rests = false;
  own->record = (struct idem_span){record, len};
  own->draft = NULL;
  own->answer = NULL;
  later->life = process_generation();
  *all.last = later;
  all.last = &later->next;
  return true;
}

void later_start(void)
{
  PROCESS_LOCKED(lists);
  begin_in_this_process();
  all.started |= all.first != NULL;
  pthread_cond_signal(&all.changed);
}

static bool is_over(const struct later *later)
{
  return later->is_done || later->life != process_generation();
}

bool later_is_done(const struct later *later)
{
  PROCESS_LOCKED(lists);
  return is_over(later);
}

void later_wait(const struct later *later)
{
  PROCESS_LOCKED(lists);
  while (!is_over(later) && wait_for_writer(later))
    ;
}

bool later_leave(struct later *later, void (*left)(struct later *later))
{
  PROCESS_LOCKED(lists);
  if (!is_over(later))
    later->left = left;
  return later->left;
}
