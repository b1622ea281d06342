/* SPDX-License-Identifier: MIT */
/*
 * record: an answer as bytes. A fixed head, then its parts one after the other: chunks,
 * response, request. Whatever the bytes are, a parse stays inside them. In an encrypted store the parts are
 * sealed, with a tag and a nonce behind them; the head has only names and numbers.
 *
 *     size_t size = record_size(&draft);
 *     record_write(&draft, place);                 // place has `size` bytes
 *     record_open(place, size, key, &answer);      // spans point into place; `key` NULL: it is not encrypted
 *
 * In the store a long one is cut (parts.h); in memory, in the queue and in a fleet it is whole.
 *
 * The layout is on disk: a change needs another RECORD_VERSION. That of 0.1 has a shorter head, and its names
 * are others. Functions keep no state and return 0 or -errno; -EILSEQ is a record that is damaged.
 *
 * Any thread may call them. To read a record writes nothing to it, for it lies in a map that is read only:
 * chunks that are not aligned there are copied to `spare`, and a sealed one is opened into memory of its own.
 */
#ifndef IDEMSHIM_STORE_RECORD_H
#define IDEMSHIM_STORE_RECORD_H

#include "store/store.h"

#include <sys/types.h>

/* So much of a long request body is kept, for people. */
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

/* Flags of a head. UNSHARED is never set: which answers a fleet does not have yet, the
 * outbox says (outbox.h). */
enum {
  RECORD_EVENT_STREAM = 1,
  RECORD_DELIVERED = 2,
  RECORD_SEALED = 4,
  RECORD_UNSHARED = 8,
  RECORD_FLAGS = 15
};

/* How a record begins, at any even address. */
struct record_head {
  uint32_t magic, version;
  uint64_t total;    /* bytes, with this head */
  uint64_t checksum; /* XXH3 of everything behind it */
  uint64_t serial;
  int64_t started_us, stored_us, expires_us, input, output; /* µs since 1970; tokens, -1: not told */
  uint64_t request_body_len;                                /* before it was cut */
  uint64_t len[RECORD_PARTS];                               /* bytes of each part, as it is kept */
  uint32_t duration_ms, sequence;
  uint16_t status, flags, key_kind, zero; /* of HTTP; RECORD_ bits; enum idem_key_kind */
  uint8_t key[IDEM_KEY_SIZE], fingerprint[IDEM_KEY_SIZE], tenant[IDEM_KEY_SIZE];
  uint8_t raw[IDEM_KEY_SIZE], print[IDEM_KEY_SIZE]; /* its names in two indexes, removed with it */
  /* A record of 0.1 ends here. What follows is 0 where it means nothing: who stored it in a fleet, and of one
   * that is cut, how many parts there are besides the first, which are all of one size but the last. */
  uint64_t generation; /* of the claim */
  uint64_t epoch;      /* of a fleet: how many answers the operation had before this one */
  uint8_t machine[16];
  uint32_t parts, part_size;
  uint8_t zeros[IDEM_KEY_SIZE];
} __attribute__((packed));

/* `answer` with all that is to be kept; `id` is not stored. */
struct record_draft {
  const struct idem_answer *answer;
  const uint8_t *raw, *print; /* as in the head */
  const uint8_t *base;        /* what `raw` leads to; only in an index, */
  bool sampled;               /* as this is */
  uint64_t generation, epoch;
  const uint8_t *key; /* SEAL_KEY_SIZE bytes: its parts are encrypted; NULL: they are not */
};

/* Bytes; 0 if a part is larger than a record can hold. */
size_t record_size(const struct record_draft *draft);
/* -ENOMEM, -EIO: it could not be sealed. */
int record_write(const struct record_draft *draft, void *place);
/* Copies one that was written without its serial number, sealed or not, and gives it that. */
void record_copy(struct idem_span record, uint64_t serial, void *place);

/* The head of a record, or NULL if it is of another kind, version or length. */
const struct record_head *record_head(struct idem_span record);
/* The same of what stands in the tree of answers, which may be the first part of one. */
const struct record_head *record_first(struct idem_span value);
/* Makes it one that is cut, or whole. */
void record_set_parts(void *record, uint32_t parts, uint32_t size);
/* True if 0.1 has written it: its head ends before `generation`. */
bool record_is_old(const struct record_head *head);

/* Where in a record its scope is, and how long that is; false of one that is sealed, or has no such place. */
bool record_scope(const struct record_head *head, uint64_t *at, uint64_t *len);

/* The numbers and names of what stands in the tree of answers: no span but `record`. After -EILSEQ `answer`
 * holds nothing of use. */
int record_tell(struct idem_span value, struct idem_answer *answer);

/* With all spans, unless it is sealed. Its chunks are read where they lie, so it is where malloc() would put
 * it. Does not compute the checksum. */
int record_parse(struct idem_span record, struct idem_answer *answer);

/* The same of one that is sealed, which becomes a plain one where it lies; with `key` NULL of one that is
 * not. -EBADMSG: it has been changed, or sealed with another key; -EILSEQ, -ENOMEM. */
int record_open(char *record, size_t len, const uint8_t *key, struct idem_answer *answer);

/* Reads all of it. It finds damage, and no attack: that takes a sealed record's tag. */
bool record_checksum_holds(struct idem_span record);

/* The bytes of a body that came in these chunks. */
uint64_t record_chunks_len(const struct idem_chunk *chunks, size_t count);

/* The id of a key. */
void record_id(const uint8_t *key, char id[IDEM_ID_SIZE]);

#endif
