/* SPDX-License-Identifier: MIT */
/*
 * format: a tape as bytes, version 3, in the byte order of x86-64 and aarch64.
 *
 * A segment is a head and then records, each a frame, a summary and a content. The first record, and one of
 * each process that has others, is no exchange: it has the rules that are in force as text, in the place of a
 * body. The summary is what an index and a list need, the content is all the rest; where the tape is
 * encrypted, both are sealed, each with its own nonce and its tag behind it. Sums are of the bytes as they
 * stand in the file. They are seeded with the tape's salt, so that a body that holds a piece of a tape is
 * never taken for a record when the place of the next one was lost.
 */
#ifndef IDEMSHIM_TAPE_FORMAT_H
#define IDEMSHIM_TAPE_FORMAT_H

#include "store/store.h"

#include <string.h>

#define TAPE_HEAD_MAGIC "idemtape"
/* The layout is the same in all. Exchanges of version 1 are named as idemshim 0.1 named them; before
 * 3 there are no rules. */
enum { TAPE_VERSION_0_1 = 1, TAPE_VERSION = 3, TAPE_ENCRYPTED = 1, TAPE_FLAGS = 1 };
enum {
  TAPE_SALT_SIZE = 32,
  TAPE_ID_SIZE = 16,
  TAPE_CHECK_SIZE = 16,
  TAPE_NONCE_SIZE = 12,
  TAPE_TAG_SIZE = 16
};

/* Stands at the beginning of each segment, and says which tape it belongs to. Written once, with its sum.
 * `size` is that of the head, `number` the one in the segment's name, `started_us` when the segment was
 * begun, in µs since 1970. */
struct tape_head {
  char magic[8];
  uint32_t version, size;
  uint8_t id[TAPE_ID_SIZE]; /* of the tape: the same in all of its segments, as is the salt */
  uint8_t salt[TAPE_SALT_SIZE];
  uint8_t key_check[TAPE_CHECK_SIZE]; /* tells a wrong key; zero where the tape is plain */
  uint32_t flags, number;
  int64_t started_us;
  uint8_t zero[24];
  uint64_t sum; /* XXH3 of what is before it */
};

/* What is authenticated beside each record: magic to salt. */
enum { TAPE_HEAD_BOUND = offsetof(struct tape_head, key_check) };

#define TAPE_FRAME_MAGIC UINT64_C(0x0a64636572aa05fe)

/* Stands before each record, and says how long both parts are. It is found again by its magic and
 * its sum, wherever damage has thrown the reader off. */
struct tape_frame {
  uint64_t magic;
  uint32_t summary_len, content_len; /* in the file, tags included */
  uint8_t nonce[TAPE_NONCE_SIZE];    /* of the summary; the content's has the last bit flipped */
  uint32_t rules;                    /* of the record that has the rules: a number of their text; else 0 */
  uint64_t summary_sum, content_sum;
  uint64_t sum; /* of what is before it */
};

/* What is authenticated of the frame: magic to nonce. */
enum { TAPE_FRAME_BOUND = offsetof(struct tape_frame, rules) };

static inline void tape_content_nonce(const struct tape_frame *frame, uint8_t nonce[TAPE_NONCE_SIZE])
{
  memcpy(nonce, frame->nonce, TAPE_NONCE_SIZE);
  nonce[TAPE_NONCE_SIZE - 1] ^= 1;
}

static inline struct idem_span tape_bound(const struct tape_head *head, const struct tape_frame *frame,
                                          char bound[TAPE_HEAD_BOUND + TAPE_FRAME_BOUND])
{
  memcpy(bound, head, TAPE_HEAD_BOUND);
  memcpy(bound + TAPE_HEAD_BOUND, frame, TAPE_FRAME_BOUND);
  return (struct idem_span){bound, TAPE_HEAD_BOUND + TAPE_FRAME_BOUND};
}

_Static_assert(sizeof(struct tape_head) == 128 && sizeof(struct tape_frame) == 56, "no holes");

/* The texts behind a summary's fixed part. */
enum tape_text { TEXT_METHOD, TEXT_ORIGIN, TEXT_PATH, TEXT_QUERY, TEXT_ERROR, TAPE_TEXTS };

/* A summary's flags: `encoded`, `delivered` and `no_answer` of struct tape_outcome. */
enum { TAPE_BODY_ENCODED = 1, TAPE_BODY_DELIVERED = 2, TAPE_NO_ANSWER = 4, TAPE_SUMMARY_FLAGS = 7 };

/* What an index and a list need. Fixed, then the texts whose lengths are in it. Its members are those of
 * struct tape_call and struct tape_outcome, in their units. */
struct tape_summary {
  uint64_t sequence, duration_us;
  int64_t process_us, started_us, first_byte_us;
  uint64_t request_body_len, body_len;
  uint32_t pid, lane, curl_code;
  uint16_t status, what, flags, number; /* the last number stands for all beyond it */
  char id[16];
  uint8_t key[IDEM_KEY_SIZE], fingerprint[IDEM_KEY_SIZE];
  uint32_t len[TAPE_TEXTS];
};

_Static_assert(sizeof(struct tape_summary) == 176, "no holes but the last");

/* The parts behind a content's lengths. The chunks come first: what hides credentials (compose.c) begins
 * behind them, for they are numbers. */
enum tape_part {
  PART_CHUNKS,
  PART_REQUEST_HEADERS,
  PART_REQUEST_BODY,
  PART_SHAPE,
  PART_HEADERS,
  PART_BODY,
  PART_FACTS,
  TAPE_PARTS
};

/* Everything else, in parts. `len` is in bytes, also that of the chunks. */
struct tape_content {
  uint64_t len[TAPE_PARTS];
};

/* The largest record; larger ones are not written. Each of the five that can be large has a quarter of it
 * at most (compose.c), so that 32 bits in a frame are enough for both lengths. */
#define TAPE_RECORD_MOST ((uint64_t)1 << 30)

#endif
