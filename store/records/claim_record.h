/* SPDX-License-Identifier: MIT */
/*
 * claim_record: the durable half of a claim. The lock (base/claim_lock.h) says who sends an operation now;
 * this says that it has been sent, to whoever comes after a crash. Written just before the first byte goes
 * out, removed after the commit of the answer. Only who holds the lock writes it.
 *
 *     struct claim_begin begin = {.name = name, .key = key, .indoubt = ..., .mismatch = ...};
 *     claim_record_prepare(store, snapshot, &begin);           // judges what was there, and drafts ours
 *     if (begin.verdict == IDEM_OWNED)
 *       claim_record_write(store, &claim, &begin.record, error);
 *     ...it is sent; begin.record.upstream_key goes with it...
 *     claim_record_release(store, &claim);                     // it ended without an answer, or
 *     claim_record_end(store, &claim);                         // with one, which is stored
 *
 * It stands in the table of base/claim_table.h, where it costs no transaction; in LMDB where that has no
 * room, as have those of earlier versions. An answer that is stored ends all claims up to its generation:
 * whoever dies between its commit and the end of its claim has left nothing in doubt.
 *
 * Functions return 0 or -errno. A record that is damaged (-EILSEQ) is treated as none.
 */
#ifndef IDEMSHIM_STORE_CLAIM_RECORD_H
#define IDEMSHIM_STORE_CLAIM_RECORD_H

#include "store/base/claim_table.h"
#include "store/key/key.h"
#include "store/state/state.h"

/* True if the fleet knows of it. */
bool claim_record_is_shared(const struct claim_record *record);

int claim_record_parse(struct idem_span value, struct claim_record *record);
/* What a snapshot has under `key`. -ENOENT, -EILSEQ. */
int claim_record_read(const struct pages_snapshot *snapshot, const uint8_t *key, struct claim_record *record);
/* The same with what stands in the table now: the newer of the two. */
int claim_record_find(struct idem_store *store, const struct pages_snapshot *snapshot, const uint8_t *key,
                      struct claim_record *record);

/* The same where it is not over yet, else zeros. Returns the greatest generation that
 * this key has had here. */
uint64_t claim_record_before(struct idem_store *store, const struct pages_snapshot *snapshot,
                             const uint8_t *key, struct claim_record *earlier);

/* Which key this content was last sent under, for churn. As it is on disk. */
struct claim_print {
  uint8_t key[IDEM_KEY_SIZE];
  int64_t at_us;
};
int claim_record_read_print(const struct pages_snapshot *snapshot, const uint8_t *content,
                            struct claim_print *print);
int claim_record_find_print(struct idem_store *store, const struct pages_snapshot *snapshot,
                            const uint8_t *content, struct claim_print *print);
int claim_record_put_print(struct writer *writer, const uint8_t *content, const uint8_t *key, int64_t at_us);

/* A claim's beginning: what was there before, and what ours is to be. */
struct claim_begin {
  const struct name *name;
  const uint8_t *key;
  enum idem_indoubt indoubt;
  enum idem_mismatch mismatch;
  bool judged; /* the fleet has: what it knew of before us decides nothing here */
  /* out */
  struct claim_record record; /* ours; its generation is set when it is written */
  bool resent, mismatched;
  uint64_t before;           /* no generation of this key is greater, but for one beside ours */
  uint64_t died;             /* the generation of an owner that did not come to an end; 0: there was none */
  enum idem_verdict verdict; /* OWNED, IN_DOUBT or MISMATCH */
};

/* Judges what was there, and drafts ours. Writes nothing. */
int claim_record_prepare(struct idem_store *store, const struct pages_snapshot *snapshot,
                         struct claim_begin *begin);

/* One's own claim: by whom its lock is held. */
struct claim {
  const uint8_t *key,
      *print; /* `print` is noted as sent under this key while it is under way; NULL: it is not */
  uint8_t lock[8];
  bool beside;         /* the owner: in LMDB its record stays, and ours has no generation */
  bool flush;          /* a power cut is not to forget it, either */
  uint64_t before;     /* as claim_begin says */
  uint64_t generation; /* of what was written; 0: nothing */
};

/* Sets the generation of both. */
int claim_record_write(struct idem_store *store, struct claim *claim, struct claim_record *record,
                       struct idem_error *error);
/* True while nobody else has taken it over; false also for one that stands in LMDB. */
bool claim_record_stands(struct idem_store *store, const struct claim *claim);
/* A copy of the process goes on with it for whoever asks. 0 or -errno; the generation
 * may be another one then. */
int claim_record_give_up(struct idem_store *store, struct claim *claim, struct claim_record *record,
                         struct idem_error *error);
/* It has ended without an answer; with one, which is stored. The last is for a transaction that stores it. */
int claim_record_release(struct idem_store *store, const struct claim *claim);
void claim_record_end(struct idem_store *store, const struct claim *claim);
int claim_record_drop(struct writer *writer, const uint8_t *key);

/* Those of `key` up to that generation whose owners are dead: they came to nothing, or to an
 * answer that goes now. */
void claim_record_forget(struct idem_store *store, const uint8_t *key, uint64_t generation);
/* All of the dead that began before that. Returns how many went. */
unsigned claim_record_forget_old(struct idem_store *store, int64_t before_us);

/* repeats=fresh: answer `n` of `base`, stored under `key`, has reached the app. The second is for a
 * transaction that stores it. */
int claim_record_mark_delivered(struct idem_store *store, const uint8_t *base, const uint8_t *key,
                                uint32_t n);
int claim_record_advance(struct writer *writer, const uint8_t *base, uint32_t n);
/* The first number whose answer no app has got, as far as is known. */
uint32_t claim_record_next(const struct pages_snapshot *snapshot, const uint8_t *base);

#endif
