/* SPDX-License-Identifier: MIT */
/*
 * spill: where a process puts what is too long for the shared page, before it says there that it is ready
 * (base/commit_queue.h). One file for a process, in `queue/` of the store, under a lock that tells that it
 * lives.
 *
 *     rc = spill_open(store, &number);                    // makes it, once
 *     rc = spill_write(store, number, place, data, len);  // each slot of the queue has a place of its own in it
 *     rc = spill_read(store, number, place, data, len);   // whoever does the write, in any process
 *
 * A place is its writer's for as long as the slot is, whether anybody waits for that or not. The file is
 * sparse: what is in use is what the slots have had. It is never flushed: what a power cut takes was told to
 * nobody. Any thread; a child makes one of its own.
 *
 * The lock is one of an open file description, which the kernel frees with the last process that has it: of a
 * dead parent, with the last child that has not yet made its own. Until then the parent is taken to live, and
 * its file and slots stay. Files go by spill_close(), by the next process that makes one, and by `idemshim
 * gc`.
 */
#ifndef IDEMSHIM_STORE_SPILL_H
#define IDEMSHIM_STORE_SPILL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idem_store;

/* Bytes of a place. A longer record, up to SPILL_MOST, is put into the queue only when it is waited for no
 * longer, and has a file of its own then, which whoever has stored it drops. */
enum { SPILL_PLACE = 256 << 10, SPILL_MOST = 256 << 20 };

/* That of this process. `number` and `kept` are written with process_lock_opening held and before `life`:
 * whoever finds its own life there may read them. */
struct spill {
  _Atomic uint32_t life;   /* process_generation() of who has made it; 0: there is none */
  _Atomic uint64_t number; /* its name; never 0 */
  _Atomic int kept;        /* a place in the table of base/fd.h */
};

/* 0 or -errno, all of them. To open makes the file of this process, unless it has one, and says its number.
 * -EAGAIN: others have taken each new one for a dead process's. Whoever closes it leaves it there while a
 * slot that waits has its record in it. */
int spill_open(struct idem_store *store, uint64_t *number);
void spill_close(struct idem_store *store);
void spill_drop(const struct idem_store *store, uint64_t number, unsigned place);
/* -EBADF: the app has closed the file, and the next spill_open() makes another; -EFBIG: it is more than a
 * place, or than this process may write to a file. */
int spill_write(struct idem_store *store, uint64_t number, unsigned place, const void *data, size_t len);
/* From the file of any process. -ENODATA: it is shorter than that; -ENOENT: it is gone. What was read need
 * not be what was written: the caller has a sum. */
int spill_read(const struct idem_store *store, uint64_t number, unsigned place, void *data, size_t len);

/* True if the process with that number lives, or if that cannot be told: who frees a slot under its writer
 * would lose an answer. */
bool spill_lives(const struct idem_store *store, uint64_t number);
/* Removes those of the dead that nothing in the queue is in. */
void spill_sweep(struct idem_store *store);

#endif
