/* SPDX-License-Identifier: MIT */
/*
 * evict: keeping the store under its size. What has expired goes first, then the oldest, and last what an
 * unfinished durable run would have to pay for again; of an encrypted store it is not known which answers
 * those are.
 *
 *     rc = evict_within(store, writer, need, &victims, &count);  // in a commit of so many bytes
 *     rc = evict_for(store, need, again, error);                 // before one that is larger, or had no room
 *
 *     struct evict_pass pass = {.kind = EVICT_EXPIRED};
 *     while ((rc = evict_batch(store, &pass, &gone, error)) > 0)
 *       show_progress(gone.answers);
 *
 * What is dropped is dropped in batches, a transaction each, so that no other writer waits long. Each goes on
 * where the one before has stopped, so that all of them together take as long as there is to drop.
 *
 * Bytes are those of records, and of pages where it is asked how full the store is. Any thread may call
 * these. Those that take a writer run inside of its transaction, and again if that is run again: their caller
 * begins its counts anew then.
 */
#ifndef IDEMSHIM_STORE_EVICT_H
#define IDEMSHIM_STORE_EVICT_H

#include "store/records/answer_index.h"
#include "store/state/state.h"

/* In the order in which they make room. */
enum evict_kind {
  EVICT_EXPIRED,    /* answers past their time */
  EVICT_OLDEST,     /* answers, the oldest first, without those of durable runs that are not finished; */
  EVICT_RUNS,       /* those, if nothing else is left */
  EVICT_CLAIMS,     /* claims of the dead: released, or in doubt, and held by nobody; */
  EVICT_OLD_CLAIMS, /* those of 0.1 */
  EVICT_SEEN,       /* what observe mode has noted and what has run out */
  EVICT_STRAYS,     /* parts that 0.1 has left, which drops records that it does not know */
  EVICT_KINDS
};

/* Adds up over the batches of a pass, and over passes. */
struct evicted {
  uint64_t answers, bytes, claims;
};

/* How many a batch drops unless its pass says otherwise. */
enum { EVICT_BATCH = 256 };

struct evict_pass {
  enum evict_kind kind;
  int64_t age_us;  /* what is older goes */
  unsigned most;   /* a batch drops; 0: EVICT_BATCH */
  bool yields;     /* a batch ends early where somebody comes to wait for it */
  uint64_t number; /* of its last transaction: the next one's is greater by one if nobody else has written */
  unsigned look;   /* its own: so many entries are looked at, */
  size_t from_len; /* from here on */
  uint8_t from[IDEM_KEY_SIZE + sizeof(uint32_t)];
};

/* Drops a batch, and adds what went to `gone`. 1: there may be more; 0: that was all; or -errno. */
int evict_batch(struct idem_store *store, struct evict_pass *pass, struct evicted *gone,
                struct idem_error *error);

/* -EFBIG if the answer is too large for this store. */
int evict_may_have(const struct idem_store *store, uint64_t need, struct idem_error *error);

/* Whether a transaction that brings `need` bytes may make its own room: what it drops is free two
 * transactions later, and the map has so much more than the store may use. */
bool evict_fits_within(const struct idem_store *store, uint64_t need);

/* As part of a transaction that brings `need` bytes: what has expired, then the oldest, so that the store
 * keeps its size. Their pages can be used by later transactions; the map has room for this one. The victims
 * are the caller's, to be freed when the transaction has ended. Adds to `*evicted`. */
int evict_within(struct idem_store *store, struct writer *writer, uint64_t need,
                 struct answer_index_victim **victims, uint64_t *evicted);

/* Makes room for `need` bytes, in transactions of its own. `again`: so often there seemed to be room, and
 * there was none. 0, -EFBIG if the answer is too large for this store, -ENOSPC if there is nothing left to
 * drop. */
int evict_for(struct idem_store *store, uint64_t need, unsigned again, struct idem_error *error);

/* Drops an expired answer for each of `answers`, and a few old claims, as part of
 * their commit. 0 or -errno. */
int evict_some(struct idem_store *store, struct writer *writer, unsigned answers);

#endif
