/* SPDX-License-Identifier: MIT */
/*
 * commit_queue: writes that wait for a transaction, in the shared page, so that whoever may write does those of all processes
 * with its own and they share the flushes of the disk.
 *
 *     struct queue_slot *slot = queue_take(queue);           // NULL: no room
 *     slot->write = ...;                                     // bytes, never code; what is long is in the writer's spill file
 *     queue_publish(slot);
 *     while (!queue_is_done(slot) && ...)
 *       queue_sleep(slot, ms);                               // until it is done, or one may look whether to lead oneself
 *     verdict = slot->verdict, queue_give(slot);             // or queue_withdraw(slot), which may come too late,
 *                                                            // or queue_leave(slot): it is done, and nobody waits for it
 *
 * The other side, with the gate (lmdb/gate.h), and so alone:
 *
 *     for (i = 0; i < QUEUE_SLOTS; i++)
 *       if (queue_lead(&queue->slot[i]))                     // it is ours until it is told
 *         ... its write, in one transaction with the others ...
 *     queue_tell(slot, verdict, serial);                     // after the commit, and before the gate is left
 *
 * A leader that dies leaves slots that it had taken; the next takes them over, since nobody else can be in the gate. So each
 * write may be done twice, and must be such that this makes no difference. A slot whose writer has died is done all the same.
 *
 * A slot's state has a number that grows with each use, so that nobody changes that of another use.
 */
#ifndef IDEMSHIM_STORE_COMMIT_QUEUE_H
#define IDEMSHIM_STORE_COMMIT_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { QUEUE_SLOTS = 256, QUEUE_BYTES = 512 };

struct queue_slot {
  _Alignas(64) _Atomic uint32_t state; /* 8 * number + what it is in */
  int32_t verdict;
  uint64_t serial;
  _Atomic uint64_t spill; /* the number of its writer's file, also while it has nothing there; */
  uint64_t len, sum;      /* what it has there, in the slot's place */
  uint8_t write[QUEUE_BYTES];
};

struct commit_queue {
  _Atomic uint32_t first; /* where the next leader begins, so that none is always the last */
  _Atomic uint32_t
      waiting; /* how many are published, or more, never fewer; above, a number that grows with each */
  struct queue_slot slot[QUEUE_SLOTS];
};

/* A slot that is to be filled, or NULL. `spill` is how others find out whether its writer lives. */
struct queue_slot *queue_take(struct commit_queue *queue, uint64_t spill);
/* Frees those of writers that `lives` denies. */
typedef bool queue_lives(const void *arg, uint64_t spill);
void queue_sweep(struct commit_queue *queue, queue_lives *lives, const void *arg);
void queue_publish(struct commit_queue *queue, struct queue_slot *slot);
bool queue_is_done(const struct queue_slot *slot);
/* True if its write is still to be done, by whomever. */
bool queue_waits(const struct queue_slot *slot);
void queue_sleep(struct queue_slot *slot, unsigned ms);
/* It is free again. False: somebody has it in a transaction, or is done with it. */
bool queue_withdraw(struct commit_queue *queue, struct queue_slot *slot);
/* After it is done. */
void queue_give(struct queue_slot *slot);
/* False: it is done, and is to be given. */
bool queue_leave(struct queue_slot *slot);

/* True if it is published, or was taken by a leader that has died. */
bool queue_lead(struct queue_slot *slot);
/* True if there is one that nobody waits for: nobody but a leader comes for it. */
bool queue_has_left(const struct commit_queue *queue);
/* True if it is waited for by nobody, and still to be done. */
bool queue_is_left(const struct queue_slot *slot);
/* False: nothing is published. */
bool queue_has_any(const struct commit_queue *queue);
/* It waits for another leader. */
void queue_put_back(struct queue_slot *slot);
void queue_tell(struct commit_queue *queue, struct queue_slot *slot, int verdict, uint64_t serial);
/* Wakes one who waits, after the gate was left. */
void queue_wake(struct commit_queue *queue);

#endif
