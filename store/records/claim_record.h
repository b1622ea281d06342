/* SPDX-License-Identifier: MIT */
/*
 * claim_record: the durable half of a claim. The lock (base/claim_lock.h) says who sends an operation now;
 * this says that it has been sent, to whoever comes after a crash. Written just before the first byte goes
 * out, removed with the commit of the answer. Only who holds the lock writes it.
 *
 *     struct claim_begin begin = {.name = name, .key = key, .indoubt = ..., .mismatch = ...};
 *     claim_record_begin(store, &begin, error);                // judges what was there, and writes ours
 *     if (begin.verdict == IDEM_OWNED)
 *       ...it is sent; begin.record.upstream_key goes with it...
 *     claim_record_release(store, key, begin.record.generation);   // it ended without an answer
 *
 * Functions return 0 or -errno. A record that is damaged (-EILSEQ) is treated as none.
 */
#ifndef IDEMSHIM_STORE_CLAIM_RECORD_H
#define IDEMSHIM_STORE_CLAIM_RECORD_H

#include "store/key/key.h"
#include "store/state/state.h"

enum claim_state {
  CLAIM_IN_FLIGHT = 1, /* sent; with nobody holding the claim: in doubt */
  CLAIM_RELEASED,      /* its owner got no answer that can be kept */
  CLAIM_DELIVERED,     /* repeats=fresh: an answer that its app has got */
  CLAIM_COUNTER,       /* repeats=fresh: which number comes next; in the place of the last one */
};

/* As it is on disk. */
struct claim_record {
  uint32_t version, state;
  uint64_t generation; /* the number of the transaction that wrote it: which try this is */
  int64_t started_us;
  uint32_t next;     /* of a COUNTER */
  uint32_t given_up; /* its app has; a copy of the process finishes it */
  uint8_t fingerprint[IDEM_KEY_SIZE], print[IDEM_KEY_SIZE];
  char upstream_key[40];
  /* One of 0.1 ends here. For a fleet, and 0 for now: whose claim it is, and that the others do not know of it. Its
   * generation is then given from outside. */
  uint64_t epoch;
  uint8_t machine[16];
  uint32_t unshared, zero;
};

int claim_record_parse(struct idem_span value, struct claim_record *record);
/* What a snapshot has under `key`. -ENOENT, -EILSEQ. */
int claim_record_read(const struct pages_snapshot *snapshot, const uint8_t *key, struct claim_record *record);

/* Which key this content was last sent under, for churn. As it is on disk. */
struct claim_print {
  uint8_t key[IDEM_KEY_SIZE];
  int64_t at_us;
};
int claim_record_read_print(const struct pages_snapshot *snapshot, const uint8_t *content,
                            struct claim_print *print);
int claim_record_put_print(struct writer *writer, const uint8_t *content, const uint8_t *key, int64_t at_us);

/* A claim's beginning: what was there before, and what ours is to be. */
struct claim_begin {
  const struct name *name;
  const uint8_t *key;
  enum idem_indoubt indoubt;
  enum idem_mismatch mismatch;
  /* out */
  struct claim_record record; /* ours; its generation is set when it is written */
  bool resent, mismatched;
  uint64_t died;             /* the generation of an owner that did not come to an end; 0: there was none */
  enum idem_verdict verdict; /* OWNED, IN_DOUBT or MISMATCH */
};

/* Judges what the snapshot has, and drafts ours. Writes nothing: claim_record_write() does that once the call
 * is about to be sent. */
int claim_record_prepare(const struct pages_snapshot *snapshot, struct claim_begin *begin);
/* With `churns` the content is noted as sent under this key. `beside` the owner: unless its own is there
 * already; the record's generation is 0 then. */
int claim_record_write(struct idem_store *store, const uint8_t *key, struct claim_record *record, bool churns,
                       bool beside, struct idem_error *error);
/* Both in one transaction, the second for a verdict of OWNED. */
int claim_record_begin(struct idem_store *store, struct claim_begin *begin, struct idem_error *error);

/* The claim ended without an answer. */
int claim_record_release(struct idem_store *store, const uint8_t *key, uint64_t generation);

/* repeats=fresh: answer `n` of `base`, stored under `key`, has reached the app. The second is for a
 * transaction that stores it. */
int claim_record_mark_delivered(struct idem_store *store, const uint8_t *base, const uint8_t *key,
                                uint32_t n);
int claim_record_advance(struct writer *writer, const uint8_t *base, uint32_t n);
/* The first number whose answer no app has got, as far as is known. */
uint32_t claim_record_next(const struct pages_snapshot *snapshot, const uint8_t *base);

#endif
