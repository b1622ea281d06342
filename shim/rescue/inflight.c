/* SPDX-License-Identifier: MIT */
#include "shim/rescue/inflight.h"

#include "shim/rescue/rescue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct under_way *all;
static pthread_key_t end_of_thread; /* under `lock`, as is the next */
static bool has_key;

static void unlist(struct under_way *entry)
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

static struct under_way *find_of_thread(void)
{
  pthread_mutex_lock(&lock);
  struct under_way *entry = all;
  while (entry && (entry->gate != &entry->own || entry->thread != gate_thread()))
    entry = entry->next;
  pthread_mutex_unlock(&lock);
  return entry;
}

/* Its stack goes, with calls that it has not come back from. Who makes one of them again must not wait for
 * it. */
static void on_end_of_thread(void *arg)
{
  (void)arg;
  for (struct under_way *entry; (entry = find_of_thread());) {
    gate_enter(entry->gate);
    unlist(entry);
    entry->op.unknown = true;
    if (entry->op.priv.claim_fd >= 0)
      entry->api->leave(entry->store, &entry->op, false);
    entry->own.depth = 1;
    gate_leave(entry->gate);
    free(entry);
  }
}

static bool list(struct under_way *entry)
{
  pthread_mutex_lock(&lock);
  has_key = has_key || pthread_key_create(&end_of_thread, on_end_of_thread) == 0;
  bool noticed = has_key && pthread_setspecific(end_of_thread, gate_thread()) == 0;
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

struct under_way *under_way_begin(struct rescue *rescue, struct gate *of_multi)
{
  struct under_way *entry = malloc(sizeof(*entry));
  if (!entry)
    return NULL;
  *entry = (struct under_way){.rescue = rescue, .thread = gate_thread(), .process = getpid()};
  entry->api = rescue->call->api;
  entry->store = rescue->call->store;
  entry->op = rescue->call->op;
  gate_init(&entry->own);
  entry->gate = of_multi ? of_multi : &entry->own;
  memcpy(entry->id, rescue->call->op.id, sizeof(entry->id));
  if (list(entry))
    return entry;
  free(entry);
  return NULL;
}

void under_way_parted(struct under_way *entry)
{
  if (entry)
    entry->op.priv.claim_fd = -1;
}

void under_way_end(struct under_way *entry)
{
  if (!entry)
    return;
  gate_enter(entry->gate);
  unlist(entry);
  /* Its thread has stayed behind its own gate since the last turn. */
  if (entry->gate == &entry->own)
    entry->own.depth = 1;
  gate_leave(entry->gate);
  free(entry);
}

/* A child that was made past the fork handlers has its parent's. */
static struct under_way *next_not_looked_at(struct under_way *entry)
{
  while (entry && (entry->looked_at || entry->process != getpid()))
    entry = entry->next;
  return entry;
}

struct under_way *under_way_take(unsigned *busy)
{
  *busy = 0;
  pthread_mutex_lock(&lock);
  struct under_way *entry = next_not_looked_at(all);
  for (; entry && !gate_try(entry->gate); entry = next_not_looked_at(entry->next))
    *busy += !gate_is_ours(entry->gate);
  if (entry)
    entry->looked_at = true;
  pthread_mutex_unlock(&lock);
  return entry;
}

void under_way_look_again(void)
{
  pthread_mutex_lock(&lock);
  for (struct under_way *entry = all; entry; entry = entry->next)
    entry->looked_at = entry->left;
  pthread_mutex_unlock(&lock);
}

bool under_way_left(char id[IDEM_ID_SIZE])
{
  pthread_mutex_lock(&lock);
  struct under_way *entry = next_not_looked_at(all);
  if (entry) {
    entry->looked_at = entry->left = true;
    memcpy(id, entry->id, IDEM_ID_SIZE);
  }
  pthread_mutex_unlock(&lock);
  return entry;
}

void under_way_lock(void)
{
  pthread_mutex_lock(&lock);
}

void under_way_unlock(void)
{
  pthread_mutex_unlock(&lock);
}

void under_way_begin_anew(void)
{
  for (struct under_way *entry = all; entry; entry = entry->next)
    entry->link = NULL;
  all = NULL;
  pthread_mutex_unlock(&lock);
}
