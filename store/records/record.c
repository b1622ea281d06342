/* SPDX-License-Identifier: MIT */
#include "store/records/record.h"

#include "config/hex.h"
#include "store/base/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { RECORD_MAGIC = 0x1de3a25e, RECORD_VERSION_0_1 = 1, RECORD_VERSION = 2 };

/* Behind sealed parts: the tag, then the nonce. */
enum { RECORD_SEAL_SIZE = SEAL_TAG_SIZE + SEAL_NONCE_SIZE };

/* Where what the checksum is of begins: behind itself, so that it covers the serial number, too. */
enum { RECORD_SUMMED = offsetof(struct record_head, checksum) + sizeof(uint64_t) };

/* Where what a seal is of begins: behind the serial number, which is given after it was sealed. */
enum { RECORD_BOUND = offsetof(struct record_head, started_us) };

/* How long the head of 0.1 is. */
enum { RECORD_HEAD_0_1 = offsetof(struct record_head, generation) };

_Static_assert(sizeof(struct record_head) % 8 == 0 && RECORD_HEAD_0_1 % 8 == 0,
               "the chunks behind the head are aligned if it is");

bool record_is_old(const struct record_head *head)
{
  return head->version == RECORD_VERSION_0_1;
}

static size_t head_size(const struct record_head *head)
{
  return record_is_old(head) ? RECORD_HEAD_0_1 : sizeof(*head);
}

/* Where a part is in an answer. The chunks are no span there. */
static struct idem_span *part_of(struct idem_answer *answer, int part)
{
  static const uint16_t place[RECORD_PARTS] = {
      [RECORD_HEADERS] = offsetof(struct idem_answer, headers),
      [RECORD_BODY] = offsetof(struct idem_answer, body),
      [RECORD_FACTS] = offsetof(struct idem_answer, facts),
      [RECORD_METHOD] = offsetof(struct idem_answer, method),
      [RECORD_ORIGIN] = offsetof(struct idem_answer, origin),
      [RECORD_PATH] = offsetof(struct idem_answer, path),
      [RECORD_QUERY] = offsetof(struct idem_answer, query),
      [RECORD_SCOPE] = offsetof(struct idem_answer, scope),
      [RECORD_REQUEST_HEADERS] = offsetof(struct idem_answer, request_headers),
      [RECORD_REQUEST_BODY] = offsetof(struct idem_answer, request_body),
  };
  return (void *)((char *)answer + place[part]);
}

/* What is kept of a part. */
static struct idem_span kept_of(const struct idem_answer *answer, int part)
{
  if (part == RECORD_CHUNKS)
    return (struct idem_span){(const char *)answer->chunks, answer->chunk_count * sizeof(*answer->chunks)};
  struct idem_span kept = *part_of((struct idem_answer *)(uintptr_t)answer, part);
  if (part == RECORD_REQUEST_BODY && kept.len > RECORD_BODY_KEPT)
    kept.len = RECORD_BODY_KEPT;
  return kept;
}

size_t record_size(const struct record_draft *draft)
{
  size_t size = sizeof(struct record_head) + (draft->key ? RECORD_SEAL_SIZE : 0);
  for (int i = 0; i < RECORD_PARTS; i++) {
    size_t len = kept_of(draft->answer, i).len;
    if (len > UINT32_MAX / 2 || size > UINT32_MAX / 2)
      return 0;
    size += len;
  }
  return size;
}

/* Not of a kind that withstands an attack: it finds what a disk or a stray write has done. An encrypted
 * record has a tag as well. */
static uint64_t checksum(const void *record, size_t len)
{
  return XXH3_64bits((const char *)record + RECORD_SUMMED, len - RECORD_SUMMED);
}

/* The head is told to the cipher as well, so that no parts can be put under another one; but for the serial
 * number, which whoever stores a record gives it, and who that is need not seal it (records/batch.h). */
static struct idem_span bound_of(const char *record)
{
  const struct record_head *head = (const void *)record;
  size_t from = record_is_old(head) ? RECORD_SUMMED : RECORD_BOUND;
  return (struct idem_span){record + from, head_size(head) - from};
}

/* Fills a place that LMDB has reserved in its page, so that an answer is copied once. */
int record_write(const struct record_draft *draft, void *place)
{
  const struct idem_answer *a = draft->answer;
  struct record_head head = {.magic = RECORD_MAGIC,
                             .version = RECORD_VERSION,
                             .serial = a->serial,
                             .started_us = a->started_us,
                             .stored_us = a->stored_us,
                             .expires_us = a->expires_us,
                             .input = a->usage.input,
                             .output = a->usage.output,
                             .request_body_len = a->request_body_len,
                             .duration_ms = a->duration_ms,
                             .sequence = a->sequence,
                             .status = a->status,
                             .flags = (uint16_t)((a->event_stream ? RECORD_EVENT_STREAM : 0) |
                                                 (a->delivered ? RECORD_DELIVERED : 0) |
                                                 (draft->key ? RECORD_SEALED : 0)),
                             .key_kind = (uint16_t)a->key_kind,
                             .generation = draft->generation,
                             .epoch = draft->epoch};
  memcpy(head.key, a->key, IDEM_KEY_SIZE);
  memcpy(head.fingerprint, a->fingerprint, IDEM_KEY_SIZE);
  memcpy(head.tenant, a->tenant, IDEM_KEY_SIZE);
  memcpy(head.raw, draft->raw, IDEM_KEY_SIZE);
  memcpy(head.print, draft->print, IDEM_KEY_SIZE);
  uint8_t *parts = (uint8_t *)place + sizeof(head), *end = parts;
  for (int i = 0; i < RECORD_PARTS; i++) {
    struct idem_span part = kept_of(a, i);
    if (part.len)
      memcpy(end, part.data, part.len);
    end += part.len;
    head.len[i] = part.len;
  }
  head.total = (uint64_t)(end - (uint8_t *)place) + (draft->key ? RECORD_SEAL_SIZE : 0);
  /* What the cipher is told of the head must stand there; the checksum is of what the cipher has made. */
  memcpy(place, &head, sizeof(head));
  if (draft->key) {
    uint8_t *nonce = end + SEAL_TAG_SIZE;
    if (getrandom(nonce, SEAL_NONCE_SIZE, 0) != SEAL_NONCE_SIZE)
      return -EIO;
    int rc = seal_encrypt(draft->key, nonce, bound_of(place), parts, (size_t)(end - parts));
    if (rc < 0)
      return rc;
  }
  head.checksum = checksum(place, head.total);
  memcpy(place, &head, sizeof(head));
  return 0;
}

static bool is_whole(const struct record_head *head, size_t len)
{
  return head->total == len && (record_is_old(head) || !head->parts);
}

/* Nothing but these numbers says how it was cut, and they are followed. */
static bool is_first(const struct record_head *head, size_t len)
{
  return !record_is_old(head) && head->part_size == len && head->total > len &&
         head->parts == (head->total - 1) / len;
}

const struct record_head *record_first(struct idem_span value)
{
  const struct record_head *head = (const void *)value.data;
  bool known = value.len >= RECORD_HEAD_0_1 && head->magic == RECORD_MAGIC &&
               (head->version == RECORD_VERSION || head->version == RECORD_VERSION_0_1) &&
               value.len >= head_size(head);
  return known && (is_whole(head, value.len) || is_first(head, value.len)) ? head : NULL;
}

const struct record_head *record_head(struct idem_span record)
{
  const struct record_head *head = record_first(record);
  return head && is_whole(head, record.len) ? head : NULL;
}

void record_set_parts(void *record, uint32_t parts, uint32_t size)
{
  struct record_head *head = record;
  head->parts = parts;
  head->part_size = size;
}

uint64_t record_chunks_len(const struct idem_chunk *chunks, size_t count)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < count; i++)
    sum += chunks[i].len;
  return sum;
}

/* The numbers and names of the head, which are there in a sealed record too. */
static void take_head(const struct record_head *head, struct idem_answer *answer)
{
  answer->serial = head->serial;
  answer->is_old = record_is_old(head);
  answer->started_us = head->started_us;
  answer->stored_us = head->stored_us;
  answer->expires_us = head->expires_us;
  answer->duration_ms = head->duration_ms;
  answer->status = head->status;
  answer->event_stream = head->flags & RECORD_EVENT_STREAM;
  answer->delivered = head->flags & RECORD_DELIVERED;
  answer->sequence = head->sequence;
  answer->usage = (struct idem_usage){head->input, head->output};
  answer->request_body_len = head->request_body_len;
  answer->key_kind = (enum idem_key_kind)head->key_kind;
  memcpy(answer->key, head->key, IDEM_KEY_SIZE);
  memcpy(answer->fingerprint, head->fingerprint, IDEM_KEY_SIZE);
  memcpy(answer->tenant, head->tenant, IDEM_KEY_SIZE);
  record_id(answer->key, answer->id);
}

bool record_scope(const struct record_head *head, uint64_t *at, uint64_t *len)
{
  *at = head_size(head);
  for (int i = 0; i < RECORD_SCOPE && *at <= head->total; i++)
    *at = head->len[i] <= head->total ? *at + head->len[i] : UINT64_MAX;
  *len = head->len[RECORD_SCOPE];
  return !(head->flags & RECORD_SEALED) && *at <= head->total && *len <= head->total - *at;
}

static bool is_known(const struct record_head *head)
{
  return head && head->key_kind <= IDEM_KEY_CONTENT && head->flags <= RECORD_FLAGS;
}

int record_tell(struct idem_span value, struct idem_answer *answer)
{
  const struct record_head *head = record_first(value);
  if (!is_known(head))
    return -EILSEQ;
  *answer = (struct idem_answer){.record = value};
  take_head(head, answer);
  return 0;
}

/* Every length is looked at before it is followed, and a chunk list that does not add up is damage:
 * delivery walks it without asking again. */
int record_parse(struct idem_span record, struct idem_answer *answer)
{
  const struct record_head *head = record_head(record);
  if (!is_known(head))
    return -EILSEQ;
  if (head->flags & RECORD_SEALED)
    return record_tell(record, answer);
  /* The parts must fill the record exactly. */
  struct idem_span chunks = {record.data + head_size(head), head->len[RECORD_CHUNKS]};
  size_t left = record.len - head_size(head);
  if (chunks.len > left || chunks.len % sizeof(struct idem_chunk))
    return -EILSEQ;
  const char *at = chunks.data + chunks.len;
  left -= chunks.len;
  for (int i = RECORD_CHUNKS + 1; i < RECORD_PARTS; i++) {
    size_t len = head->len[i];
    if (len > left)
      return -EILSEQ;
    *part_of(answer, i) = (struct idem_span){at, len};
    at += len;
    left -= len;
  }
  if (left)
    return -EILSEQ;
  take_head(head, answer);
  answer->record = record;
  answer->chunk_count = chunks.len / sizeof(struct idem_chunk);
  answer->chunks = (const void *)chunks.data;
  return record_chunks_len(answer->chunks, answer->chunk_count) == answer->body.len ? 0 : -EILSEQ;
}

/* The checksum is made anew, so that the plain record holds by itself. The length of that, or below 0. */
static ssize_t unseal(char *record, size_t len, const uint8_t *key)
{
  struct record_head *head = (void *)record;
  if (!record_head((struct idem_span){record, len}) || !(head->flags & RECORD_SEALED) ||
      len < head_size(head) + RECORD_SEAL_SIZE)
    return -EILSEQ;
  len -= RECORD_SEAL_SIZE;
  uint8_t *parts = (uint8_t *)record + head_size(head), *nonce = (uint8_t *)record + len + SEAL_TAG_SIZE;
  int rc = seal_decrypt(key, nonce, bound_of(record), parts, len - head_size(head) + SEAL_TAG_SIZE);
  if (rc < 0)
    return rc;
  head->flags &= (uint16_t)~RECORD_SEALED;
  head->total = len;
  head->checksum = checksum(record, len);
  return (ssize_t)len;
}

int record_open(char *record, size_t len, const uint8_t *key, struct idem_answer *answer)
{
  ssize_t plain = key ? unseal(record, len, key) : (ssize_t)len;
  return plain < 0 ? (int)plain : record_parse((struct idem_span){record, (size_t)plain}, answer);
}

void record_copy(struct idem_span record, uint64_t serial, void *place)
{
  struct record_head *head = memcpy(place, record.data, record.len);
  head->serial = serial;
  head->checksum = checksum(place, record.len);
}

bool record_checksum_holds(struct idem_span record)
{
  const struct record_head *head = record_head(record);
  return head && head->checksum == checksum(record.data, record.len);
}

void record_id(const uint8_t *key, char id[IDEM_ID_SIZE])
{
  idem_hex(key, IDEM_ID_SIZE / 2, id);
}
