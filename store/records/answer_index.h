/* SPDX-License-Identifier: MIT */
/*
 * answer_index: an answer with all of its indexes: found, put and dropped as one.
 *
 *     if (answer_index_find(store, reader, key, ttl_ms, &answer) == ANSWER_FRESH &&
 *         answer_index_take(store, reader, &heap, &answer) == 0)
 *       deliver(&answer);                                    // valid until reader_end(reader) and free(heap)
 *     answer_index_put(writer, &new);                          // in a transaction
 *     answer_index_drop(writer, key);
 *
 * Besides the answers themselves, by key, there are four ways to one: by the digest of its request's bytes,
 * by age, by expiry, and by its content (claim_record.h, print). An index that is damaged loses nothing but
 * its own use; idem_store_verify() names what does not fit. Functions return 0 or -errno.
 */
#ifndef IDEMSHIM_STORE_ANSWER_INDEX_H
#define IDEMSHIM_STORE_ANSWER_INDEX_H

#include "store/records/record.h"
#include "store/state/state.h"

enum answer_index_found { ANSWER_NONE, ANSWER_FRESH, ANSWER_EXPIRED, ANSWER_DAMAGED };

/* Fills `answer`, valid until the reader ends, unless there is none or it is damaged, which is counted.
 * Expired: by its own time, or by `ttl_ms` where that is shorter. A short one is copied to the reader's spare
 * room and has all of its spans; of a long or sealed one the head is told. */
enum answer_index_found answer_index_find(struct idem_store *store, struct reader *reader, const uint8_t *key,
                                          uint64_t ttl_ms, struct idem_answer *answer);
/* The same of a record that is not in the index yet. */
enum answer_index_found answer_index_read(struct idem_store *store, struct reader *reader, const uint8_t *key,
                                          uint64_t ttl_ms, struct idem_span record,
                                          struct idem_answer *answer);
/* Then all of it, outside of the map: a long or sealed one is in *heap, which the caller frees. Nothing of it
 * needs the snapshot. -ENOMEM, -EILSEQ, -EBADMSG: there is none. */
int answer_index_take(struct idem_store *store, struct reader *reader, void **heap,
                      struct idem_answer *answer);

/* What a digest of a request's bytes leads to, as it is on disk: with it, a repeat need not be read. */
struct answer_index_raw {
  uint8_t base[IDEM_KEY_SIZE];
  uint8_t sampled, zero[7];
};

/* NULL if there is none, or none that this version has written. */
const struct answer_index_raw *answer_index_raw(const struct reader *reader, const uint8_t *raw);

/* An answer that is to be stored: as a draft, whose answer has its serial number, or as a
 * record that lacks it. */
struct answer_index_new {
  const struct record_draft *draft;
  struct idem_span record;
  const uint8_t *key, *base; /* `base` is what the digest of its request's bytes leads to, */
  bool sampled;              /* as this is */
  uint64_t serial;
};
/* Stores it. The last serial number is put once for all of a transaction. */
int answer_index_put(struct writer *writer, const struct answer_index_new *new);
int answer_index_put_last(struct writer *writer, uint64_t serial);

/* The serial number that was given last; and whether `key` has an answer with a later one than that. */
uint64_t answer_index_last(const struct pages_snapshot *snapshot);
bool answer_index_is_later(const struct pages_snapshot *snapshot, const uint8_t *key, uint64_t serial);

/* Removes an answer with its indexes, even a damaged one as far as it can be read. 0
 * also if there is none. */
int answer_index_drop(struct writer *writer, const uint8_t *key);

/* Many at once: each is looked up first, in what was there before the transaction (-ENOENT: there is none),
 * and they are put into another order when they are dropped. */
struct answer_index_victim {
  uint8_t key[IDEM_KEY_SIZE], expiry[16];
  const struct record_head *head; /* in the map; NULL: it says nothing */
  uint64_t bytes;
};
int answer_index_victim(const struct pages_snapshot *snapshot, const uint8_t *key,
                        struct answer_index_victim *out);
int answer_index_drop_all(struct writer *writer, struct answer_index_victim *victims, size_t count);

/* The keys of the indexes: big-endian, so that the oldest comes first. */
void answer_index_age_key(uint64_t serial, uint8_t out[8]);
void answer_index_expiry_key(int64_t expires_us, uint64_t serial, uint8_t out[16]);
int64_t answer_index_expiry_time(const char *expiry_key);

#endif
