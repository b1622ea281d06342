/* SPDX-License-Identifier: MIT */
#include "shim/rescue/inflight.h"

#include "shim/base/libc.h"
#include "shim/handle/multi.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

/* How often the exit handler tries to have the lock. A signal may have interrupted its holder, and the
 * signal's handler may be who calls exit(). */
#define TRIES_MOST 1000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct inflight *all;
__thread struct inflight *inflight_current;
static pthread_key_t end_of_thread; /* under `lock`, as is the next */
static bool has_key;

static void unlist(struct inflight *entry)
{
  *entry->link = entry->next;
  if (entry->next)
    entry->next->link = entry->link;
  entry->link = NULL;
}

void inflight_init(struct inflight *entry, void (*release)(struct inflight *entry))
{
  *entry = (struct inflight){.free = release, .refs = 1};
}

void inflight_unref(struct inflight *entry)
{
  if (atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) == 1)
    entry->free(entry);
}

/* The frames that would have come back to it are gone. A multi whose thread ended outside of a callback can
 * be driven on by another one. */
static bool ends_with_this_thread(const struct inflight *entry)
{
  if (!driver_is_ours(entry->driver))
    return false;
  const struct multi *multi = entry->driver == &entry->own ? NULL : multi_of(entry->request->shadow);
  return !multi || (driver_is_inside(entry->driver) && multi_is_in_callback(multi));
}

/* Whoever makes one of its calls again must not wait for it. Nothing but the claim is touched: the handle may
 * be another thread's by now. */
static void on_end_of_thread(void *unused)
{
  (void)unused;
  pthread_mutex_lock(&lock);
  for (struct inflight *entry = all, *next; entry; entry = next) {
    next = entry->next;
    if (!ends_with_this_thread(entry))
      continue;
    struct request *request = entry->request;
    unlist(entry);
    request->op.unknown = true;
    if (!entry->handed_off)
      request->api->leave(request->store, &request->op, false);
    atomic_store_explicit(&entry->over, true, memory_order_release);
  }
  pthread_mutex_unlock(&lock);
  while (inflight_current)
    inflight_leave(inflight_current);
}

void inflight_watch_thread(void)
{
  static __thread bool watched;
  if (watched)
    return;
  pthread_mutex_lock(&lock);
  has_key = has_key || pthread_key_create(&end_of_thread, on_end_of_thread) == 0;
  watched = has_key && pthread_setspecific(end_of_thread, &lock) == 0;
  pthread_mutex_unlock(&lock);
}

void inflight_add(struct inflight *entry, struct request *request, struct driver *of_multi)
{
  inflight_watch_thread();
  entry->request = request;
  entry->process = getpid();
  entry->own.thread = pthread_self();
  entry->driver = of_multi ? of_multi : &entry->own;
  pthread_mutex_lock(&lock);
  entry->next = all;
  entry->link = &all;
  if (all)
    all->link = &entry->next;
  all = entry;
  pthread_mutex_unlock(&lock);
}

void inflight_handed_off(struct inflight *entry)
{
  pthread_mutex_lock(&lock);
  entry->handed_off = true;
  pthread_mutex_unlock(&lock);
}

void inflight_remove(struct inflight *entry)
{
  pthread_mutex_lock(&lock);
  if (entry->link)
    unlist(entry);
  pthread_mutex_unlock(&lock);
  atomic_store_explicit(&entry->over, true, memory_order_release);
}

void inflight_enter(struct inflight *entry)
{
  atomic_fetch_add_explicit(&entry->refs, 1, memory_order_relaxed);
  entry->outer = inflight_current;
  entry->frame = __builtin_frame_address(0);
  inflight_current = entry;
}

/* Stacks grow downwards on all machines that we run on. An app that jumps out of a callback and is deeper in
 * its stack when it comes again is taken for the callback: its claim then waits for the cleanup, or the
 * thread's end. */
bool inflight_is_left(const struct inflight *entry)
{
  return !driver_is_ours(&entry->own) || __builtin_frame_address(0) > entry->frame;
}

/* Not always the innermost: programs switch stacks in their callbacks. */
void inflight_leave(struct inflight *entry)
{
  struct inflight **at = &inflight_current;
  while (*at && *at != entry)
    at = &(*at)->outer;
  if (!*at)
    return;
  *at = entry->outer;
  inflight_unref(entry);
}

struct inflight *inflight_innermost(void)
{
  while (inflight_current && atomic_load_explicit(&inflight_current->over, memory_order_acquire))
    inflight_leave(inflight_current);
  return inflight_current;
}

const char *inflight_would_block(const struct request *request)
{
  const char *reason = NULL;
  const struct multi *multi = multi_of(request->shadow);
  pthread_mutex_lock(&lock);
  for (const struct inflight *entry = all; entry && !reason; entry = entry->next)
    if (memcmp(entry->request->op.key, request->op.key, IDEM_KEY_SIZE) == 0 &&
        driver_is_ours(entry->driver) && !(multi && entry->driver == &multi->driver))
      reason = entry->driver == &entry->own ? "made during the same call"
                                            : "the same call is under way in this thread";
  pthread_mutex_unlock(&lock);
  return reason;
}

struct inflight *inflight_next_ours(void)
{
  for (int tries = 0; pthread_mutex_trylock(&lock); tries++)
    if (tries == TRIES_MOST || sched_yield() < 0)
      return NULL;
  struct inflight *entry = all;
  /* Its driver is asked first: what an entry leads to is written by the thread that drives it, without the
   * lock. */
  while (entry && (!driver_is_ours(entry->driver) || entry->process != getpid() || entry->seen ||
                   !entry->rescue || !entry->request->rule->rescue_ms))
    entry = entry->next;
  if (entry)
    entry->seen = true;
  pthread_mutex_unlock(&lock);
  return entry;
}

void inflight_lock(void)
{
  pthread_mutex_lock(&lock);
}

void inflight_unlock(void)
{
  pthread_mutex_unlock(&lock);
}

void inflight_after_fork(void)
{
  for (struct inflight *entry = all; entry; entry = entry->next)
    entry->link = NULL;
  all = NULL;
  pthread_mutex_unlock(&lock);
}
