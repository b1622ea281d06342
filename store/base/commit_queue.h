/* SPDX-License-Identifier: MIT */
/*
 * commit_queue: writes that wait for a transaction, in the shared page, so that whoever may write does those
 * of all processes with its own and they share the flushes of the disk.
 *
 *     struct queue_slot *slot = queue_take(queue, spill);  // NULL: no room
 *     queue_put_write(slot, &write, sizeof(write));        // what is long is in the writer's spill file
 *     queue_publish(queue, slot);
 *     while (!queue_is_done(slot) && ...)
 *       queue_sleep(slot, ms);                             // until it is done, or oneself may lead
 *     verdict = slot->verdict, queue_give(slot);           // or queue_withdraw(), which may come too late,
 *                                                          // or queue_leave(): nobody waits for it
 *
 * The other side, with the gate (lmdb/gate.h), and so alone:
 *
 *     for (i = 0; i < QUEUE_SLOTS; i++)
 *       if (queue_lead(&queue->slot[i]))                     // it is ours until it is told
 *         ... its write, in one transaction with the others ...
 *     queue_tell(queue, slot, verdict, serial);              // after the commit, and before the gate is left
 *
 * A leader that dies leaves slots that it had taken; the next takes them over, since nobody else can be in
 * the gate. So each write may be done twice, and must be such that this makes no difference. A slot whose
 * writer has died is done all the same.
 *
 * A slot's state has a number that grows with each use, so that nobody changes that of another use.
 *
 * Any thread of any process may call these at any time. They take no lock and allocate nothing, and make a
 * system call only to sleep and to wake. Nothing fails: where there is no room the writer waits for the gate
 * as it would without a queue. Whoever may write the store may also write to this page, so a leader checks
 * what a slot says before it believes it (records/batch.c).
 */
#ifndef IDEMSHIM_STORE_COMMIT_QUEUE_H
#define IDEMSHIM_STORE_COMMIT_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A slot has more words than struct batch_write takes, for another size of it would be another layout of the
 * shared page. Each slot is also a place in every spill file, which can so become 64 MiB long at most. */
enum { QUEUE_SLOTS = 256, QUEUE_WORDS = 64 };

/* But for `state`, one side writes at a time: the writer until it has published the slot, the leader that has
 * taken it. */
struct queue_slot {
  _Alignas(64) _Atomic uint32_t state; /* 8 * number + what it is in */
  _Atomic int32_t verdict;             /* of its leader, once it is done: 0 or more, or -errno; */
  uint64_t serial;                     /* and the serial number that the answer has then */
  _Atomic uint64_t spill;              /* the number of its writer's file, also while it has nothing there; */
  _Atomic uint64_t len, sum;           /* bytes that it has there, in the slot's place, and XXH3 of them */
  _Atomic uint64_t write[QUEUE_WORDS];
};

struct commit_queue {
  _Atomic uint32_t first; /* with whom the next to be woken is looked for, so that none is always the last */
  /* The low 16 bits: how many are published, or more, never fewer. Above: a number that grows with each. */
  _Atomic uint32_t waiting;
  struct queue_slot slot[QUEUE_SLOTS];
};

/* A slot that is to be filled, or NULL. `spill` is how others find out whether its writer lives. */
struct queue_slot *queue_take(struct commit_queue *queue, uint64_t spill);
/* Frees those of writers that `lives` denies. */
typedef bool queue_lives(const void *arg, uint64_t spill);
void queue_sweep(struct commit_queue *queue, queue_lives *lives, const void *arg);
/* Whole words. Whoever looks without the gate may get half of one write and half of another. */
void queue_put_write(struct queue_slot *slot, const void *write, size_t size);
void queue_get_write(const struct queue_slot *slot, void *write, size_t size);
/* From here on anybody may do its write, whether its writer lives or not. */
void queue_publish(struct commit_queue *queue, struct queue_slot *slot);
/* True: `verdict` and `serial` may be read, and the slot is still the caller's, to be given. */
bool queue_is_done(const struct queue_slot *slot);
/* True if its write is still to be done, by whomever. */
bool queue_waits(const struct queue_slot *slot);
/* Sleeps until its state is another, at most for so long; it may return for no reason. */
void queue_sleep(struct queue_slot *slot, unsigned ms);
/* It is free again. False: somebody has it in a transaction, or is done with it. */
bool queue_withdraw(struct commit_queue *queue, struct queue_slot *slot);
/* After it is done, or before it was published: it is free for others. */
void queue_give(struct queue_slot *slot);
/* The caller waits no longer, and must not touch the slot again: whoever leads next does the write and frees
 * it. False: it is done, and is to be given. */
bool queue_leave(struct queue_slot *slot);

/* True if it is published, or was taken by a leader that has died. */
bool queue_lead(struct queue_slot *slot);
/* True if there is one that nobody waits for, or may wait for, since it has failed and its writer may be
 * dead: nobody but a leader comes for it. */
bool queue_has_left(const struct commit_queue *queue);
/* True if nobody waits for it, and no transaction with it has failed. */
bool queue_is_left(const struct queue_slot *slot);
/* One after the other of those that wait, with whatever was published before the first; NULL: there is no
 * more. The writer with number `spill` meets its own first, in the order in which it has taken them. */
struct queue_search {
  uint64_t spill;
  uint32_t waiting; /* private from here on, and 0 */
  unsigned at, seen;
};
struct queue_slot *queue_next_waiting(struct commit_queue *queue, struct queue_search *search);
/* How many are published, or more. */
unsigned queue_count(const struct commit_queue *queue);
/* False: nothing is published. */
bool queue_has_any(const struct commit_queue *queue);
/* It waits for another leader. */
void queue_put_back(struct queue_slot *slot);
/* Wakes its writer, or frees it where nobody waits. A success is told only after the commit, for the writer
 * takes its answer for stored then. */
void queue_tell(struct commit_queue *queue, struct queue_slot *slot, int verdict, uint64_t serial);
/* Its transaction has come to nothing. It stays, and is known as one that has failed, so that it is not the
 * failure of others again: its writer, which is woken, does it alone, and where that has died or waits no
 * longer a leader tries it by itself. */
void queue_fail(struct queue_slot *slot);
bool queue_has_failed(const struct queue_slot *slot);
/* Wakes one who waits, after the gate was left. */
void queue_wake(struct commit_queue *queue);
/* The count is 0 where nobody waits: leaders that died may have left it too high. The caller has the gate,
 * for a leader that lives may be between its last change and the count of it. */
void queue_recount(struct commit_queue *queue);

#endif
