/* SPDX-License-Identifier: MIT */
/*
 * A slot goes these ways, each step by one compare-and-swap of its state:
 *
 *     FREE -> FILLING -> READY  its writer takes, fills and publishes it
 *     READY -> TAKEN -> DONE    a leader takes it, and tells what came of it; or puts it back, TAKEN -> READY
 *     DONE -> FREE              its writer has read the verdict
 *     READY -> FILLING -> FREE  its writer has got into the gate itself, and withdraws it
 *     READY, TAKEN -> LEFT_...  its writer waits no longer; from here on only leaders change it
 *     LEFT_TAKEN -> FREE        a leader has done it, and there is nobody to tell
 *     TAKEN -> READY            its transaction has failed, as the verdict says: its writer does it alone
 *     LEFT_TAKEN -> LEFT_READY  the same where no writer is left: a leader tries it by itself
 *     FILLING, DONE -> FREE     its writer has died, which somebody who needs room has found out
 */
#include "store/base/commit_queue.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Nobody waits for one that is left. */
enum { FREE, FILLING, READY, TAKEN, DONE, LEFT_READY, LEFT_TAKEN, STATES = 8 };

static uint32_t in(uint32_t word)
{
  return word % STATES;
}

static bool change(struct queue_slot *slot, uint32_t from, uint32_t to)
{
  return atomic_compare_exchange_strong(&slot->state, &from, from - in(from) + to);
}

/* The number goes on, so that who has seen this use finds that it is over. */
static void set_free(struct queue_slot *slot, uint32_t word)
{
  atomic_compare_exchange_strong(&slot->state, &word, word - in(word) + STATES + FREE);
}

/* Without FUTEX_PRIVATE_FLAG, as where one sleeps: the other side may be another process. */
static void wake(struct queue_slot *slot)
{
  syscall(SYS_futex, &slot->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Numbers of spill files are random, so processes begin to look in different places and seldom meet on one
 * line of memory. */
struct queue_slot *queue_take(struct commit_queue *queue, uint64_t spill)
{
  uint32_t from = (uint32_t)spill;
  for (uint32_t i = 0; i < QUEUE_SLOTS; i++) {
    struct queue_slot *slot = &queue->slot[(from + i) % QUEUE_SLOTS];
    uint32_t word = atomic_load(&slot->state);
    if (in(word) == FREE && change(slot, word, FILLING)) {
      slot->spill = spill;
      slot->verdict = 0;
      return slot;
    }
  }
  return NULL;
}

/* Parts of `waiting`: the count, and one publication in the number above it. */
enum { WAITING = 0xffff, PUBLISHED = 0x10000 };

unsigned queue_count(const struct commit_queue *queue)
{
  return atomic_load(&queue->waiting) & WAITING;
}

bool queue_has_any(const struct commit_queue *queue)
{
  return queue_count(queue) != 0;
}

/* What is published is done whether its writer lives or not. */
void queue_sweep(struct commit_queue *queue, queue_lives *lives, const void *arg)
{
  for (unsigned i = 0; i < QUEUE_SLOTS; i++) {
    struct queue_slot *slot = &queue->slot[i];
    uint32_t word = atomic_load(&slot->state);
    if ((in(word) == FILLING || in(word) == DONE) && !lives(arg, slot->spill))
      set_free(slot, word);
  }
}

void queue_put_write(struct queue_slot *slot, const void *write, size_t size)
{
  uint64_t word;
  for (size_t at = 0; at < size; at += sizeof(word)) {
    memcpy(&word, (const char *)write + at, sizeof(word));
    atomic_store_explicit(&slot->write[at / sizeof(word)], word, memory_order_relaxed);
  }
}

void queue_get_write(const struct queue_slot *slot, void *write, size_t size)
{
  for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
    uint64_t word = atomic_load_explicit(&slot->write[at / sizeof(word)], memory_order_relaxed);
    memcpy((char *)write + at, &word, sizeof(word));
  }
}

/* It is counted before it is READY, for a leader that sees no count looks at no slot. */
void queue_publish(struct commit_queue *queue, struct queue_slot *slot)
{
  atomic_fetch_add(&queue->waiting, PUBLISHED + 1);
  change(slot, atomic_load(&slot->state), READY);
}

bool queue_is_done(const struct queue_slot *slot)
{
  return in(atomic_load(&slot->state)) == DONE;
}

bool queue_waits(const struct queue_slot *slot)
{
  uint32_t what = in(atomic_load(&slot->state));
  return what == READY || what == TAKEN || what == LEFT_READY || what == LEFT_TAKEN;
}

void queue_sleep(struct queue_slot *slot, unsigned ms)
{
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
  uint32_t word = atomic_load(&slot->state);
  if (in(word) != DONE)
    syscall(SYS_futex, &slot->state, FUTEX_WAIT, word, &time, NULL, 0);
}

/* Once its state is another: who dies in between leaves a count that is too high, and not a slot
 * that nobody looks for. */
static void count_down(struct commit_queue *queue)
{
  uint32_t waiting = atomic_load(&queue->waiting);
  while (waiting & WAITING && !atomic_compare_exchange_weak(&queue->waiting, &waiting, waiting - 1))
    ;
}

/* By way of FILLING, which no leader takes and which is swept if we die before the count is right. */
bool queue_withdraw(struct commit_queue *queue, struct queue_slot *slot)
{
  uint32_t word = atomic_load(&slot->state);
  if (in(word) != READY || !change(slot, word, FILLING))
    return false;
  count_down(queue);
  set_free(slot, word - READY + FILLING);
  return true;
}

void queue_give(struct queue_slot *slot)
{
  set_free(slot, atomic_load(&slot->state));
}

bool queue_leave(struct queue_slot *slot)
{
  for (;;) {
    uint32_t word = atomic_load(&slot->state);
    if (in(word) == DONE)
      return false;
    if (change(slot, word, in(word) == TAKEN ? LEFT_TAKEN : LEFT_READY))
      return true;
  }
}

/* The caller has the gate, so one that is taken already was taken by a leader that has died. */
bool queue_lead(struct queue_slot *slot)
{
  for (;;) {
    uint32_t word = atomic_load(&slot->state), what = in(word);
    if (what == TAKEN || what == LEFT_TAKEN)
      return true;
    if (what != READY && what != LEFT_READY)
      return false;
    if (change(slot, word, what == READY ? TAKEN : LEFT_TAKEN))
      return true;
  }
}

bool queue_has_left(const struct commit_queue *queue)
{
  bool has = false;
  for (unsigned i = 0; i < QUEUE_SLOTS && queue_has_any(queue) && !has; i++) {
    uint32_t what = in(atomic_load(&queue->slot[i].state));
    has = what == LEFT_READY || what == LEFT_TAKEN || queue_has_failed(&queue->slot[i]);
  }
  return has;
}

bool queue_is_left(const struct queue_slot *slot)
{
  uint32_t what = in(atomic_load(&slot->state));
  return (what == LEFT_READY || what == LEFT_TAKEN) && !queue_has_failed(slot);
}

/* A slot is counted before anybody sees it wait, and for as long as it does; and what comes changes the word
 * for good. So once as many were seen as it said at the beginning, and it says the same, there is no
 * other. */
struct queue_slot *queue_next_waiting(struct commit_queue *queue, struct queue_search *search)
{
  if (search->at == 0)
    search->waiting = atomic_load(&queue->waiting);
  while (search->at < QUEUE_SLOTS && queue_has_any(queue)) {
    if (search->seen >= (search->waiting & WAITING) && atomic_load(&queue->waiting) == search->waiting)
      return NULL;
    struct queue_slot *slot = &queue->slot[((uint32_t)search->spill + search->at++) % QUEUE_SLOTS];
    if (!queue_waits(slot))
      continue;
    search->seen++;
    return slot;
  }
  return NULL;
}

/* Its writer may leave it meanwhile. */
void queue_put_back(struct queue_slot *slot)
{
  uint32_t word = atomic_load(&slot->state);
  while ((in(word) == TAKEN || in(word) == LEFT_TAKEN) &&
         !change(slot, word, in(word) == TAKEN ? READY : LEFT_READY))
    word = atomic_load(&slot->state);
}

/* The verdict stands there before the state says so. If the writer leaves the slot in this moment, the change
 * fails, and the slot is freed in its place. */
void queue_tell(struct commit_queue *queue, struct queue_slot *slot, int verdict, uint64_t serial)
{
  uint32_t word = atomic_load(&slot->state);
  slot->verdict = verdict;
  slot->serial = serial;
  if (in(word) == TAKEN && change(slot, word, DONE))
    wake(slot);
  else
    set_free(slot, atomic_load(&slot->state));
  count_down(queue);
}

/* The verdict stands there before the state says that it is nobody's. */
void queue_fail(struct queue_slot *slot)
{
  slot->verdict = -EAGAIN;
  queue_put_back(slot);
  wake(slot);
}

bool queue_has_failed(const struct queue_slot *slot)
{
  return slot->verdict < 0 && queue_waits(slot);
}

/* One is enough: whoever gets the gate does the writes of all, and wakes the next. Nobody sleeps on one that
 * is left, and nobody need on one that has failed. */
void queue_wake(struct commit_queue *queue)
{
  uint32_t first = atomic_load(&queue->first);
  for (uint32_t i = 0; i < QUEUE_SLOTS && queue_has_any(queue); i++) {
    struct queue_slot *slot = &queue->slot[(first + i) % QUEUE_SLOTS];
    if (in(atomic_load(&slot->state)) == READY && !queue_has_failed(slot)) {
      wake(slot);
      return;
    }
  }
}

void queue_recount(struct commit_queue *queue)
{
  uint32_t waiting = atomic_load(&queue->waiting);
  for (unsigned i = 0; i < QUEUE_SLOTS; i++) {
    /* One that is being filled may be counted already. */
    uint32_t what = in(atomic_load(&queue->slot[i].state));
    if (what != FREE && what != DONE)
      return;
  }
  /* Not if one has been published since: the number has grown. */
  atomic_compare_exchange_strong(&queue->waiting, &waiting, waiting & ~(uint32_t)WAITING);
}
