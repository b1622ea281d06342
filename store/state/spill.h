/* SPDX-License-Identifier: MIT */
/*
 * spill: where a process puts what is too long for the shared page, before it says there that it is ready
 * (base/commit_queue.h). One file for a process, in `queue/` of the store, under a lock that tells that it lives.
 *
 *     rc = spill_open(store, &number);                     // makes it, once
 *     rc = spill_put(store, len, &at, ...) ...             // a place of one's own, and the bytes into it
 *     rc = spill_read(store, number, at, data, len);       // whoever does the write, in any process
 *     spill_end(store);                                    // once for each put, or
 *     spill_leave(store, slot, left);                      // it ends when the slot is over that is left with this
 *
 * It is never flushed: what a power cut takes was told to nobody. Any thread; a child makes one of its own.
 */
#ifndef IDEMSHIM_STORE_SPILL_H
#define IDEMSHIM_STORE_SPILL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idem_store;
struct queue_slot;

/* More than this is in no process's file at once. */
enum { SPILL_MOST = 64 << 20 };

struct spill {
  _Atomic uint32_t life; /* process_generation() of who has made it; 0: there is none */
  uint64_t number;       /* its name; never 0 */
  int kept;              /* a place in the table of base/fd.h */
  uint64_t used;         /* under process_lock_lists, as `users` */
  unsigned users;
  struct {
    struct queue_slot *slot; /* NULL: none */
    uint32_t with;
  } left[16];
};

/* 0 or -errno, all of them. */
int spill_open(struct idem_store *store, uint64_t *number);
int spill_put(struct idem_store *store, const void *data, size_t len, uint64_t *at);
void spill_end(struct idem_store *store);
/* False: there are too many of them, and its place is never used again. */
bool spill_leave(struct idem_store *store, struct queue_slot *slot, uint32_t left);
void spill_close(struct idem_store *store);

int spill_read(const struct idem_store *store, uint64_t number, uint64_t at, void *data, size_t len);
bool spill_lives(const struct idem_store *store, uint64_t number);
/* Removes those of the dead that nothing in the queue is in. */
void spill_sweep(struct idem_store *store);

#endif
