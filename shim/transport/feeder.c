/* SPDX-License-Identifier: MIT */
/*
 * The thread has a list of transports and sleeps until the next of them is due, or until the owner of the
 * oldest follower is done. One lock guards the list, and what the thread reads of a transport; whoever ends a
 * transport takes it off the list first. The thread ends with the last entry, so that a program which is done
 * with replays has no thread of ours.
 *
 * When an owner is done, one follower in each multi is poked and looks for all of them: if there is an answer
 * the others are poked then, and if not it is the next owner, and they wait on. To poke them all for each
 * owner would be a million pokes for a thousand identical calls that upstream refuses.
 */
#include "shim/transport/feeder.h"

#include "config/thread.h"
#include "shim/base/libc.h"
#include "shim/replay/stream_follow.h"

#include <pthread.h>
#include <string.h>

/* How long a follower's owner may be done before it is noticed, if it does not wake the feeder itself: a look
 * is a system call, so they become rarer with each. */
#define LOOK_FIRST_US 5000
#define LOOK_LAST_US  20000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static struct transport *fed, **fed_end = &fed; /* all that wait, the oldest first */
static bool running, prepared;

static void forget(struct transport *t)
{
  if (!t->link_fed)
    return;
  *t->link_fed = t->next_fed;
  if (t->next_fed)
    t->next_fed->link_fed = t->link_fed;
  else
    fed_end = t->link_fed;
  t->link_fed = NULL;
}

/* A poke that cannot be sent is tried again: nothing else would wake this transfer. */
static void poke(struct transport *t)
{
  if (transport_poke(t))
    forget(t);
}

static bool follows(const struct transport *t, const uint8_t key[IDEM_KEY_SIZE])
{
  return t->follows && memcmp(t->request->op.key, key, IDEM_KEY_SIZE) == 0;
}

/* Its companions in the same multi look for themselves only if they hear nothing from it. */
static void poke_one(struct transport *t, int64_t now_us)
{
  for (struct transport *other = fed; other; other = other->next_fed)
    if (other != t && other->shadow->multi == t->shadow->multi && follows(other, t->request->op.key)) {
      other->stands_by = true;
      other->look_us = now_us + LOOK_LAST_US;
    }
  poke(t);
}

/* A follower is poked when its owner is done or has something for it, or when wait= is over. */
static void look_at_follower(struct transport *t, int64_t now_us)
{
  const struct request *request = t->request;
  if (now_us < t->look_us && now_us < t->due_us)
    return;
  t->look_every_us = t->look_every_us * 2 < LOOK_LAST_US ? t->look_every_us * 2 : LOOK_LAST_US;
  t->look_us = now_us + t->look_every_us;
  t->stands_by = false;
  if (now_us >= t->due_us)
    poke(t);
  else if (stream_follow_has_begun(t->request) ||
           request->api->wait(request->store, &t->request->op, 0) == 0 ||
           request->api->stalled(request->store, &t->request->op, false))
    poke_one(t, now_us);
}

/* A stream's new pieces are sent as they come. Where the socket is full, its app's thread goes on. */
static void look_at_stream(struct transport *t, int64_t now_us)
{
  if (now_us < t->look_us)
    return;
  t->look_us = now_us + LOOK_FIRST_US;
  stream_follow_refresh(t->request);
  transport_feed(t);
  if (!stream_follow_is_open(t->request))
    forget(t);
}

static bool waits(const struct transport *t)
{
  return t->follows || t->streams;
}

/* Sends what is due; what is over leaves the list. Returns the time of the next. */
static int64_t look_at_all(int64_t now_us)
{
  int64_t next_us = INT64_MAX;
  for (struct transport *t = fed, *next; t; t = next) {
    next = t->next_fed;
    if (t->follows)
      look_at_follower(t, now_us);
    else if (t->streams)
      look_at_stream(t, now_us);
    else if (now_us >= t->due_us && (t->due_us = transport_feed(t)) == INT64_MAX)
      forget(t);
  }
  for (struct transport *t = fed; t; t = t->next_fed) {
    int64_t us = waits(t) && t->look_us < t->due_us ? t->look_us : t->due_us;
    next_us = us < next_us ? us : next_us;
  }
  return next_us;
}

/* It may have been forgotten, and its memory given back, while the lock was not ours. */
static bool is_fed(const struct transport *t)
{
  const struct transport *at = fed;
  while (at && at != t)
    at = at->next_fed;
  return at;
}

/* The oldest follower wakes us at once; the others' owners are looked at in turn. */
static void sleep_as_follower(struct transport *t, int64_t us)
{
  struct idem_call copy = t->request->op;
  const struct idem_store_api *api = t->request->api;
  struct idem_store *store = t->request->store;
  int64_t left_us = us - monotonic_us();
  pthread_mutex_unlock(&lock);
  bool done = api->wait(store, &copy, left_us < 1000 ? 1 : (unsigned)(left_us / 1000)) == 0;
  pthread_mutex_lock(&lock);
  if (done && is_fed(t) && !t->stands_by)
    t->look_us = 0;
}

static void *run(void *unused)
{
  pthread_mutex_lock(&lock);
  while (fed) {
    int64_t next_us = look_at_all(monotonic_us());
    struct transport *follower = fed;
    while (follower && (!waits(follower) || follower->stands_by))
      follower = follower->next_fed;
    struct timespec until = clock_timespec(next_us);
    if (follower)
      sleep_as_follower(follower, next_us);
    else if (fed)
      pthread_cond_timedwait(&changed, &lock, &until);
  }
  running = false;
  pthread_mutex_unlock(&lock);
  return unused;
}

/* Puts the transport on the list and wakes the thread. False where there is none and none can be made. */
static bool add(struct transport *t, int64_t due_us)
{
  if (!prepared) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &attributes);
    pthread_condattr_destroy(&attributes);
    prepared = true;
  }
  running = running || idem_thread_start(run);
  if (!running)
    return false;
  t->due_us = due_us;
  if (!t->link_fed) {
    t->next_fed = NULL;
    t->link_fed = fed_end;
    *fed_end = t;
    fed_end = &t->next_fed;
  }
  pthread_cond_signal(&changed);
  return true;
}

/* A thread that its app has cancelled must not end with the lock: send() and open() are where it would.
 * Returns what leave() takes. */
static int enter(void)
{
  int cancel;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  pthread_mutex_lock(&lock);
  return cancel;
}

static void leave(int cancel)
{
  pthread_mutex_unlock(&lock);
  pthread_setcancelstate(cancel, NULL);
}

void feeder_feed(struct transport *t)
{
  if (transport_feeds_itself(t)) {
    transport_feed(t);
    return;
  }
  int cancel = enter();
  int64_t due_us = transport_feed(t);
  t->follows = false;
  /* Without a thread the chunks come at once, rather than never. */
  if (!t->streams && due_us != INT64_MAX && !add(t, due_us)) {
    t->hurried = true;
    transport_feed(t);
  }
  leave(cancel);
}

bool feeder_follow(struct transport *t)
{
  const struct request *request = t->request;
  uint64_t wait_ms = request->rule->wait_ms;
  int64_t due_us = wait_ms == IDEM_FOREVER_MS ? INT64_MAX : request->started_us + (int64_t)wait_ms * 1000;
  int cancel = enter();
  t->follows = true;
  t->stands_by = false;
  t->look_every_us = LOOK_FIRST_US;
  t->look_us = monotonic_us() + LOOK_FIRST_US;
  bool added = add(t, due_us);
  leave(cancel);
  return added;
}

bool feeder_stream(struct transport *t)
{
  int cancel = enter();
  t->follows = t->stands_by = false;
  t->streams = true;
  t->look_us = 0;
  bool added = add(t, INT64_MAX);
  leave(cancel);
  return added;
}

void feeder_owner_ended(const uint8_t key[IDEM_KEY_SIZE])
{
  int cancel = enter();
  int64_t now_us = fed ? monotonic_us() : 0;
  for (struct transport *t = fed, *next; t; t = next) {
    next = t->next_fed;
    if (!t->stands_by && follows(t, key))
      poke_one(t, now_us);
  }
  leave(cancel);
}

void feeder_answered(const uint8_t key[IDEM_KEY_SIZE])
{
  int cancel = enter();
  for (struct transport *t = fed, *next; t; t = next) {
    next = t->next_fed;
    if (follows(t, key))
      poke(t);
  }
  leave(cancel);
}

/* They have as good as looked themselves, so that only the end of this owner wakes them. */
void feeder_owned(const struct request *request)
{
  int cancel = enter();
  for (struct transport *t = fed; t; t = t->next_fed)
    if (follows(t, request->op.key)) {
      t->stands_by = false;
      t->request->op.priv.wake = request->op.priv.wake;
    }
  pthread_cond_signal(&changed);
  leave(cancel);
}

void feeder_forget(struct transport *t)
{
  int cancel = enter();
  forget(t);
  leave(cancel);
}

void feeder_lock(void)
{
  pthread_mutex_lock(&lock);
}

void feeder_unlock(void)
{
  pthread_mutex_unlock(&lock);
}

/* The condition may have the parent's feeder among its waiters, which the child does not have. */
void feeder_begin_anew(void)
{
  while (fed)
    forget(fed);
  running = prepared = false;
  pthread_mutex_unlock(&lock);
}
