/* SPDX-License-Identifier: MIT */
/* shelf: an answer with all of its indexes: found, put and dropped as one. */
#ifndef IDEMSHIM_STORE_SHELF_H
#define IDEMSHIM_STORE_SHELF_H

#include "store/records/record.h"
#include "store/state/state.h"

enum answer_index_found { ANSWER_NONE, ANSWER_FRESH, ANSWER_EXPIRED, ANSWER_DAMAGED };

/* Fills `answer`, valid until the reader ends, unless there is none or it is damaged. Expired: by its own
 * time, or by `ttl_ms` where that is shorter. */
enum answer_index_found answer_index_find(struct idem_store *store, struct reader *reader, const uint8_t *key,
                                          uint64_t ttl_ms, struct idem_answer *answer);

/* Gives it the next serial number, which goes into `answer`, and stores it. */
int answer_index_put(struct writer *writer, struct idem_answer *answer, const struct record_draft *draft);

/* Removes an answer with its indexes, even a damaged one as far as it can be read. `*bytes` (may be NULL)
 * grows by its size. */
int answer_index_drop(struct writer *writer, const uint8_t *key, uint64_t *bytes);

/* The last answer's serial; how many there have been. */
uint64_t answer_index_last_serial(struct writer *writer);

/* The keys of the indexes: big-endian, so that the oldest comes first. */
void answer_index_age_key(uint64_t serial, uint8_t out[8]);
void answer_index_expiry_key(int64_t expires_us, uint64_t serial, uint8_t out[16]);
int64_t answer_index_expiry_time(const char *expiry_key);

#endif
