/* SPDX-License-Identifier: MIT */
#include "shim/rescue/inflight.h"

#include <stdlib.h>
#include <unistd.h>

/* A signal may interrupt its holder, and the signal's handler may call exit(): the lock then refuses. */
static pthread_mutex_t lock = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static struct inflight *all;
static pthread_key_t end_of_thread; /* under `lock`, as is the next */
static bool has_key;

static void unlist(struct inflight *entry)
{
  pthread_mutex_lock(&lock);
  if (entry->link) {
    *entry->link = entry->next;
    if (entry->next)
      entry->next->link = entry->link;
  }
  entry->link = NULL;
  pthread_mutex_unlock(&lock);
}

static struct inflight *find_of_thread(void)
{
  pthread_mutex_lock(&lock);
  struct inflight *entry = all;
  while (entry && (entry->driver != &entry->own || !driver_is_ours(entry->driver)))
    entry = entry->next;
  pthread_mutex_unlock(&lock);
  return entry;
}

static void on_end_of_thread(void *arg)
{
  (void)arg;
  for (struct inflight *entry; (entry = find_of_thread());) {
    unlist(entry);
    entry->op.unknown = true;
    if (entry->op.priv.claim_fd >= 0)
      entry->api->leave(entry->store, &entry->op, false);
    free(entry);
  }
}

static bool list(struct inflight *entry)
{
  pthread_mutex_lock(&lock);
  has_key = has_key || pthread_key_create(&end_of_thread, on_end_of_thread) == 0;
  bool noticed = has_key && pthread_setspecific(end_of_thread, &lock) == 0;
  if (noticed) {
    entry->next = all;
    entry->link = &all;
    if (all)
      all->link = &entry->next;
    all = entry;
  }
  pthread_mutex_unlock(&lock);
  return noticed;
}

struct inflight *inflight_add(struct rescue *rescue, const struct request *request, struct driver *of_multi)
{
  struct inflight *entry = malloc(sizeof(*entry));
  if (!entry)
    return NULL;
  *entry = (struct inflight){.rescue = rescue, .own.thread = pthread_self(), .process = getpid()};
  entry->api = request->api;
  entry->store = request->store;
  entry->op = request->op;
  entry->driver = of_multi ? of_multi : &entry->own;
  if (list(entry))
    return entry;
  free(entry);
  return NULL;
}

void inflight_handed_off(struct inflight *entry)
{
  if (entry)
    entry->op.priv.claim_fd = -1;
}

void inflight_remove(struct inflight *entry)
{
  if (entry)
    unlist(entry);
  free(entry);
}

struct inflight *inflight_next_ours(void)
{
  if (pthread_mutex_lock(&lock))
    return NULL;
  struct inflight *entry = all;
  while (entry && (entry->seen || entry->process != getpid() || !driver_is_ours(entry->driver)))
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

/* The lock names a thread of the parent as its holder, so it begins anew. */
void inflight_after_fork(void)
{
  static const pthread_mutex_t unlocked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
  for (struct inflight *entry = all; entry; entry = entry->next)
    entry->link = NULL;
  all = NULL;
  lock = unlocked;
}
