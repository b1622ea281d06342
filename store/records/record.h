/* SPDX-License-Identifier: MIT */
/*
 * record: an answer as bytes in the store. A fixed head, then its parts one after the other: chunks,
 * response, request. Whatever the bytes are, a parse stays inside them. In an encrypted store the parts are
 * sealed, with a tag and a nonce behind them; the head has only names and numbers.
 *
 *     size_t size = record_size(&draft);
 *     record_write(&draft, place);                              // place has `size` bytes
 *     record_parse(value, spare, sizeof(spare), &answer);       // spans point into value
 */
#ifndef IDEMSHIM_STORE_RECORD_H
#define IDEMSHIM_STORE_RECORD_H

#include "store/store.h"

#include <sys/types.h>

/* What of a long request body is kept, for people. */
enum { RECORD_BODY_KEPT = 256 * 1024 };

/* The parts of a record, in their order. */
enum record_part {
  RECORD_CHUNKS,
  RECORD_HEADERS,
  RECORD_BODY,
  RECORD_FACTS,
  RECORD_METHOD,
  RECORD_ORIGIN,
  RECORD_PATH,
  RECORD_QUERY,
  RECORD_SCOPE,
  RECORD_REQUEST_HEADERS,
  RECORD_REQUEST_BODY,
  RECORD_PARTS
};

/* The names of an answer that its indexes need; they are removed with it. */
struct record_names {
  uint64_t serial;
  int64_t expires_us;
  bool delivered;
  uint8_t key[IDEM_KEY_SIZE], raw[IDEM_KEY_SIZE], print[IDEM_KEY_SIZE];
};

/* `answer` with all that is to be kept; `id` is not stored. */
struct record_draft {
  const struct idem_answer *answer;
  const uint8_t *raw, *print;
  const uint8_t *base; /* what `raw` leads to; only in an index */
  const uint8_t *key;  /* SEAL_KEY_SIZE bytes: its parts are encrypted; NULL: they are not */
};

/* Bytes; 0 if a part is larger than a record can hold. */
size_t record_size(const struct record_draft *draft);
int record_write(const struct record_draft *draft, void *place); /* -ENOMEM, -EIO: it could not be sealed */

/* 0, or -EILSEQ if it is no whole record. Does not compute the checksum. `spare` takes the chunks if they are
 * not aligned. */
/* Of a sealed record the head alone is told. */
int record_parse(struct idem_span record, void *spare, size_t spare_size, struct idem_answer *answer);

/* A sealed record as a plain one in `heap`, which has room for record.len bytes. Returns the plain length;
 * -EBADMSG: it has been changed, or sealed with another key; -EILSEQ, -ENOMEM. */
ssize_t record_unseal(struct idem_span record, const uint8_t *key, char *heap);

/* The same in new memory, parsed. The caller frees *heap once the answer is done with. */
int record_open(struct idem_span record, const uint8_t *key, void **heap, struct idem_answer *answer);

bool record_checksum_holds(struct idem_span record);
bool record_is_of(struct idem_span record, const uint8_t *raw);
int record_names(struct idem_span record, struct record_names *names);

/* The id of a key. */
void record_id(const uint8_t *key, char id[IDEM_ID_SIZE]);

#endif
