/* SPDX-License-Identifier: MIT */
/*
 * spill: where a process puts what is too long for the shared page, before it says there that it is ready
 * (base/commit_queue.h). One file for a process, in `queue/` of the store, under a lock that tells that it lives.
 *
 *     rc = spill_open(store, &number);                          // makes it, once
 *     rc = spill_write(store, place, data, len);                // each slot of the queue has a place of its own in it
 *     rc = spill_read(store, number, place, data, len);         // whoever does the write, in any process
 *
 * A place is its writer's for as long as the slot is, whether anybody waits for that or not. The file is sparse: what is in use
 * is what the slots have had. It is never flushed: what a power cut takes was told to nobody. Any thread; a child makes one of its own.
 */
#ifndef IDEMSHIM_STORE_SPILL_H
#define IDEMSHIM_STORE_SPILL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idem_store;

/* The most that a place has room for. */
enum { SPILL_PLACE = 256 << 10 };

struct spill {
  _Atomic uint32_t life; /* process_generation() of who has made it; 0: there is none */
  uint64_t number;       /* its name; never 0 */
  int kept;              /* a place in the table of base/fd.h */
};

/* 0 or -errno, all of them. */
int spill_open(struct idem_store *store, uint64_t *number);
void spill_close(struct idem_store *store);
int spill_write(struct idem_store *store, unsigned place, const void *data, size_t len);
int spill_read(const struct idem_store *store, uint64_t number, unsigned place, void *data, size_t len);

bool spill_lives(const struct idem_store *store, uint64_t number);
/* Removes those of the dead that nothing in the queue is in. */
void spill_sweep(struct idem_store *store);

#endif
