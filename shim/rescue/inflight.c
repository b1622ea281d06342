/* SPDX-License-Identifier: MIT */
#include "shim/rescue/inflight.h"

#include "shim/rescue/rescue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
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
  while (entry && (entry->driver_lock != &entry->own || entry->thread != this_thread()))
    entry = entry->next;
  pthread_mutex_unlock(&lock);
  return entry;
}

/* Its stack goes, with calls that it has not come back from. Who makes one of them again must not wait for
 * it. */
static void on_end_of_thread(void *arg)
{
  (void)arg;
  for (struct inflight *entry; (entry = find_of_thread());) {
    driver_lock_enter(entry->driver_lock);
    unlist(entry);
    entry->op.unknown = true;
    if (entry->op.priv.claim_fd >= 0)
      entry->api->leave(entry->store, &entry->op, false);
    entry->own.depth = 1;
    driver_lock_leave(entry->driver_lock);
    free(entry);
  }
}

static bool list(struct inflight *entry)
{
  pthread_mutex_lock(&lock);
  has_key = has_key || pthread_key_create(&end_of_thread, on_end_of_thread) == 0;
  bool noticed = has_key && pthread_setspecific(end_of_thread, this_thread()) == 0;
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

struct inflight *inflight_add(struct rescue *rescue, struct driver_lock *of_multi)
{
  struct inflight *entry = malloc(sizeof(*entry));
  if (!entry)
    return NULL;
  *entry = (struct inflight){.rescue = rescue, .thread = this_thread(), .process = getpid()};
  entry->api = rescue->request->api;
  entry->store = rescue->request->store;
  entry->op = rescue->request->op;
  driver_lock_init(&entry->own);
  entry->driver_lock = of_multi ? of_multi : &entry->own;
  memcpy(entry->id, rescue->request->op.id, sizeof(entry->id));
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
  if (!entry)
    return;
  driver_lock_enter(entry->driver_lock);
  unlist(entry);
  /* Its thread has stayed behind its own gate since the last turn. */
  if (entry->driver_lock == &entry->own)
    entry->own.depth = 1;
  driver_lock_leave(entry->driver_lock);
  free(entry);
}

/* A child that was made past the fork handlers has its parent's. */
static struct inflight *next_not_looked_at(struct inflight *entry)
{
  while (entry && (entry->looked_at || entry->process != getpid()))
    entry = entry->next;
  return entry;
}

struct inflight *inflight_next_unseen(unsigned *busy)
{
  *busy = 0;
  pthread_mutex_lock(&lock);
  struct inflight *entry = next_not_looked_at(all);
  for (; entry && !driver_lock_try(entry->driver_lock); entry = next_not_looked_at(entry->next))
    *busy += !driver_lock_is_ours(entry->driver_lock);
  if (entry)
    entry->looked_at = true;
  pthread_mutex_unlock(&lock);
  return entry;
}

void inflight_unsee_all(void)
{
  pthread_mutex_lock(&lock);
  for (struct inflight *entry = all; entry; entry = entry->next)
    entry->looked_at = entry->left;
  pthread_mutex_unlock(&lock);
}

bool inflight_next_abandoned(char id[IDEM_ID_SIZE])
{
  pthread_mutex_lock(&lock);
  struct inflight *entry = next_not_looked_at(all);
  if (entry) {
    entry->looked_at = entry->left = true;
    memcpy(id, entry->id, IDEM_ID_SIZE);
  }
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
