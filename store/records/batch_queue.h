/* SPDX-License-Identifier: MIT */
/*
 * batch_queue: a batch's side of the queue, for batch.c and batch_left.c: its own write enters and waits
 * there, and those of others are read out of it.
 *
 *     batch_queue_enter(&batch, SPILL_PLACE);          // batch.slot is NULL if it could not
 *     queue_lead(slot);                                // of whoever has the gate
 *     rc = batch_queue_read(store, &taken, &why);      // taken.record is the caller's, to be freed
 *
 * What a slot has is in the page that all processes share, and its record in the spill file of its writer,
 * who may have died: nothing of them is believed until batch_queue_read() has checked it.
 */
#ifndef IDEMSHIM_STORE_BATCH_QUEUE_H
#define IDEMSHIM_STORE_BATCH_QUEUE_H

#include "store/records/answer_index.h"
#include "store/records/batch.h"

/* A write as its slot has it. Nobody's leader needs what is behind it. */
struct published {
  struct batch_write write;
  uint8_t print[IDEM_KEY_SIZE];
};

/* The write of another one, as a leader has it. */
struct taken {
  struct queue_slot *slot;
  struct batch_write write;
  char *record; /* on the heap, from the spill file; freed when it is told or put back */
  size_t len;   /* bytes */
  int verdict;  /* of store_one(), which holds once the transaction is committed */
  uint64_t serial;
};

struct batch {
  struct idem_store *store;
  struct batch_own *own;   /* of this thread; a list, */
  struct queue_slot *slot; /* or one, which waits here for a leader */
  struct taken *taken; /* of others, `count` of them; room for all slots, made when there is any to take */
  unsigned count;
  size_t bytes; /* of what is chosen and taken */
  struct answer_index_victim *victims;
  uint64_t evicted;
  bool asked;     /* whether there is a slot for it */
  bool alone;     /* neither waits for a leader nor is one */
  bool flush;     /* somebody's is durable, and this process's commits are not */
  bool is_silent; /* nobody tells what it says, so it drops nothing */
};

static inline unsigned place_of(const struct idem_store *store, const struct queue_slot *slot)
{
  return (unsigned)(slot - store->stats->queue.slot);
}

static inline size_t size_of(const struct batch_own *own)
{
  return own->draft ? record_size(own->draft) : own->record.len;
}

/* Nothing is said if it cannot: then it waits for the gate as any other write does. What is too long for a
 * place of the spill file is written to one of its own at the end alone, for a gate that is only busy is
 * sooner free than that is written. */
void batch_queue_enter(struct batch *batch, size_t most);

/* For the gate: how we wait for it. True: our write is done, or whoever is in the gate does what we came
 * for. */
bool batch_queue_nap(void *arg, long us);

/* 0; -EILSEQ: it is not what its writer has put there, or is gone with its file; else it cannot be read now.
 * `why`: as the system says it. */
int batch_queue_read(const struct idem_store *store, struct taken *taken, int *why);

/* The first of this process is enough to look for the cause. */
void batch_queue_note_unstored(struct idem_store *store, const struct queue_slot *slot, bool stays, int why);

/* Does the writes of writers that do not wait any longer, or have died since theirs has failed: nobody else
 * may come for them. Each that has failed is a transaction of its own, and one that fails again is enough for
 * LEFT_AGAIN_US: it may be long, and the gate is held while it is read. It is in batch.c. */
void batch_lead_left(struct batch *batch);

#endif
