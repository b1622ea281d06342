/* SPDX-License-Identifier: MIT */
/*
 * batch: storing an answer together with those of others, in one transaction and with the flushes of one.
 *
 *     struct batch_own own = {.write = {.key = ..., .generation = ..., ...}, .answer = &answer, .draft = &draft};
 *     rc = batch_commit(store, &own, error);           // IDEM_STORED, IDEM_SUPERSEDED, or -errno
 *     batch_commit_all(store, first, error);           // several of this thread's; each has its own->verdict
 *
 * Whoever finds the gate free writes at once, from its own memory. Who does not puts the write into the queue
 * of the shared page (base/commit_queue.h), and the record into its spill file; whoever is in the gate next
 * does the writes of all, of every process, and tells them. A write is bytes: what it is to do is decided by
 * what the store has when it is done, so that it may be done twice, by a second leader where the first has
 * died in the middle. What goes wrong for all of a batch is done again by each alone.
 *
 * In an encrypted store records are sealed by their writers, before they are in any file. The serial number,
 * which is known in the transaction alone, is no part of what is sealed.
 *
 * Any thread may call these, with no lock of the process held: they wait for the gate, at most as long as
 * lmdb/gate.h says. Nothing of the caller's is kept after the return, also where the write itself is still to
 * be done.
 */
#ifndef IDEMSHIM_STORE_BATCH_H
#define IDEMSHIM_STORE_BATCH_H

#include "store/records/record.h"
#include "store/state/state.h"

/* Bits of `flags`. They stand in the shared page, and so keep their values. */
enum {
  BATCH_BESIDE = 1,    /* the owner: the first whole answer is kept */
  BATCH_STANDS = 2,    /* its claim is where it was */
  BATCH_SAMPLED = 4,   /* record_draft.sampled */
  BATCH_DELIVERED = 8, /* repeats=fresh: to the app; its number is used up */
  BATCH_UNSHARED = 16, /* the fleet could not be told: it goes to the outbox */
  BATCH_REPLAYED = 32  /* the tokens that it saves were counted when it was given for the first time */
};

/* Of struct batch_write. A leader refuses a write of another version, which is then done by its own
 * writer. */
enum { BATCH_VERSION = 1 };

/* What is longer is no matter of a turn of the app's loop, and has a transaction of its own. */
enum { BATCH_WITHIN = 256 << 10 };

/* As it is in the shared page. */
struct batch_write {
  uint32_t version, flags;
  uint64_t generation;                             /* of its claim: an answer of that one is this one */
  uint64_t last_serial;                            /* of the answers that were there before its claim */
  uint8_t key[IDEM_KEY_SIZE], base[IDEM_KEY_SIZE]; /* of the operation, and of all that repeat it */
  uint32_t sequence;                               /* which of the identical calls it is, for DELIVERED */
  uint32_t durable;                                /* on the disk before it is told */
};

/* One of one's own, in the memory of the caller, who sets `write`, and `answer` and `draft` or `record`, and
 * `next` of several. The answer is that of the draft, and gets its serial number. */
struct batch_own {
  struct batch_write write;
  uint8_t print[IDEM_KEY_SIZE]; /* as its record's, for batch_write_left_of() */
  struct idem_answer *answer;
  const struct record_draft *draft;
  struct idem_span record;
  uint64_t serial; /* of what is stored */
  struct batch_own *next;
  bool chosen; /* for the transaction that is under way */
  bool done;   /* its transaction was committed, and `verdict` holds */
  int verdict; /* as that of batch_commit() */
};

/* IDEM_STORED, by whomever; IDEM_SUPERSEDED: a later owner has the operation, and nothing was written; or
 * -errno with a message: -ENOSPC, no room, which is for the caller to make; -ETIMEDOUT, the gate
 * was waited for in vain. If the write was in the queue by then it is done later all the same, and the
 * message says so. */
int batch_commit(struct idem_store *store, struct batch_own *own, struct idem_error *error);
/* The same, and where the store is full it makes room and tries again. */
int batch_commit_with_room(struct idem_store *store, struct batch_own *own, struct idem_error *error);
/* Leaves it to whoever writes next, with others that were left: until then it is found by batch_take_left()
 * and written by batch_write_left_of(), by any process, and lost to nobody but a power cut. What this process
 * has left is written when it closes the store, or ends. False: it is too long, there is no room, or enough
 * of them wait, and it is to be committed. */
bool batch_leave(struct idem_store *store, struct batch_own *own);
/* Writes what was left, before somebody is told what the store has, unless another one is
 * writing: that one does it. */
void batch_write_left(struct idem_store *store);
/* The same before one call looks into the store: if the answer of its key was left, or one of the same
 * content. Waits for a moment for who is writing. `print` may be NULL. */
void batch_write_left_of(struct idem_store *store, const uint8_t *key, const uint8_t *print);
/* Writes what others have published, before something is removed that may be among it: what its writer left,
 * and what one that was killed has had no time to write, which is found by batch_take_left() until then. What
 * cannot be read stays, for who can tell it. */
void batch_flush(struct idem_store *store);
/* Of the first record of somebody else that this process could not read to write it: where, why and what
 * comes of it, to be told by the caller. NULL: there is none, or it was given before. */
const char *batch_unstored(struct idem_store *store);
/* For who removes this key, in the gate: what is published under it is stored by nobody any more. */
void batch_drop(struct idem_store *store, const uint8_t *key);
/* The answer of this key as a record without its serial number, in memory of the caller's, if one waits in
 * the queue: for who has the claim, since its own call waits for it no longer, or has died. It is stored as
 * well, unless somebody is writing. NULL: it is in the store by now, for who looks there afterwards, or there
 * is none. */
char *batch_take_left(struct idem_store *store, const uint8_t *key, size_t *len);
/* Whether there may be one: then who has the claim is to look. */
bool batch_has_left(const struct idem_store *store, const uint8_t *key);
/* Those that are not done yet could not be written together, and are to be written alone. */
void batch_commit_all(struct idem_store *store, struct batch_own *first, struct idem_error *error);

#endif
