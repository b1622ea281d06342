/* SPDX-License-Identifier: MIT */
/*
 * op: the durable half of a claim. The lock says who sends an operation now; this says that it has been sent,
 * to whoever comes after a crash. Written just before the first byte goes out, removed with the commit of the
 * answer.
 */
#ifndef IDEMSHIM_STORE_OP_H
#define IDEMSHIM_STORE_OP_H

#include "store/key/key.h"
#include "store/lmdb/engine.h"

enum op_state {
  CLAIM_IN_FLIGHT = 1, /* sent; with nobody holding the claim: in doubt */
  CLAIM_RELEASED,      /* its owner got no answer that can be kept */
  CLAIM_DELIVERED,     /* repeats=fresh: an answer that its app has got */
  CLAIM_COUNTER,       /* repeats=fresh: which number comes next; under the base key */
};

struct op {
  uint32_t version, state;
  uint64_t generation;
  int64_t started_us;
  uint32_t next, given_up;
  uint8_t fingerprint[IDEM_KEY_SIZE], print[IDEM_KEY_SIZE];
  char upstream_key[40];
};

/* 0, -ENOENT, or -EILSEQ. */
int claim_record_read(struct reader *reader, const uint8_t *key, struct op *op);
int claim_record_fetch(struct writer *writer, const uint8_t *key, struct op *op);
int claim_record_store(struct writer *writer, const uint8_t *key, const struct op *op);
int claim_record_parse(struct idem_span value, struct op *op);

/* Which key this content was last sent under, for churn. */
struct print {
  uint8_t key[IDEM_KEY_SIZE];
  int64_t at_us;
};
int print_parse(struct idem_span value, struct print *print);

/* A claim's beginning, in one transaction: what was there before, and then ours. */
struct claim_record_begin {
  const struct name *name;
  const uint8_t *key;
  enum idem_indoubt indoubt;
  enum idem_mismatch mismatch;
  /* out */
  struct op op;
  bool resent, mismatched;
  uint64_t died;             /* the generation of an owner that did not come to an end; 0: there was none */
  enum idem_verdict verdict; /* OWNED, IN_DOUBT or MISMATCH */
};
int claim_record_begin(struct engine *engine, struct claim_record_begin *begin, struct idem_error *error);

/* The same without writing; op_record() does that once the call is about to be sent, and sets the generation.
 * With `churns` the content is noted as sent under this key. 0 or -errno. */
int claim_record_prepare(struct reader *reader, struct claim_record_begin *begin);
int claim_record_record(struct engine *engine, const uint8_t *key, struct op *op, bool churns,
                        struct idem_error *error);

/* The claim ended without an answer. */
int claim_record_release(struct engine *engine, const uint8_t *key, uint64_t generation);

/* repeats=fresh: answer `n` of `base`, stored under `key`, has reached the app. */
int claim_record_mark_delivered(struct engine *engine, const uint8_t *base, const uint8_t *key, uint32_t n);
int claim_record_advance(struct writer *writer, const uint8_t *base, uint32_t n);

#endif
