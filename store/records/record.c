/* SPDX-License-Identifier: MIT */
#include "store/records/record.h"

#include "store/base/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { RECORD_MAGIC = 0x1de3a25e, RECORD_VERSION = 1 };
enum { RECORD_EVENT_STREAM = 1, RECORD_DELIVERED = 2, RECORD_SEALED = 4, RECORD_FLAGS = 7 };

/* Behind sealed parts: the tag, then the nonce. */
enum { RECORD_SEAL_SIZE = SEAL_TAG_SIZE + SEAL_NONCE_SIZE };

/* Small records lie at any even address. */
struct record_head {
  uint32_t magic, version;
  uint64_t total;    /* bytes, with this head */
  uint64_t checksum; /* XXH3 of everything behind it */
  uint64_t serial;
  int64_t started_us, stored_us, expires_us, input, output;
  uint64_t request_body_len;
  uint64_t len[RECORD_PARTS];
  uint32_t duration_ms, sequence;
  uint16_t status, flags, key_kind, zero;
  uint8_t key[IDEM_KEY_SIZE], fingerprint[IDEM_KEY_SIZE], tenant[IDEM_KEY_SIZE];
  uint8_t raw[IDEM_KEY_SIZE], print[IDEM_KEY_SIZE];
} __attribute__((packed));

_Static_assert(sizeof(struct record_head) % 8 == 0, "the chunks behind the head are aligned if it is");

static struct idem_span request_body_kept(const struct idem_answer *answer)
{
  struct idem_span body = answer->request_body;
  if (body.len > RECORD_BODY_KEPT)
    body.len = RECORD_BODY_KEPT;
  return body;
}

static void parts_of(const struct idem_answer *answer, struct idem_span part[RECORD_PARTS])
{
  part[RECORD_CHUNKS] =
      (struct idem_span){(const char *)answer->chunks, answer->chunk_count * sizeof(*answer->chunks)};
  part[RECORD_HEADERS] = answer->headers;
  part[RECORD_BODY] = answer->body;
  part[RECORD_FACTS] = answer->facts;
  part[RECORD_METHOD] = answer->method;
  part[RECORD_ORIGIN] = answer->origin;
  part[RECORD_PATH] = answer->path;
  part[RECORD_QUERY] = answer->query;
  part[RECORD_SCOPE] = answer->scope;
  part[RECORD_REQUEST_HEADERS] = answer->request_headers;
  part[RECORD_REQUEST_BODY] = request_body_kept(answer);
}

size_t record_size(const struct record_draft *draft)
{
  struct idem_span part[RECORD_PARTS];
  size_t size = sizeof(struct record_head) + (draft->key ? RECORD_SEAL_SIZE : 0);
  parts_of(draft->answer, part);
  for (int i = 0; i < RECORD_PARTS; i++) {
    if (part[i].len > UINT32_MAX / 2 || size > UINT32_MAX / 2)
      return 0;
    size += part[i].len;
  }
  return size;
}

/* Where what the checksum is of begins. */
enum { RECORD_SUMMED = offsetof(struct record_head, checksum) + sizeof(uint64_t) };

static uint64_t checksum(const uint8_t *record, size_t len)
{
  return XXH3_64bits(record + RECORD_SUMMED, len - RECORD_SUMMED);
}

/* The head is told to the cipher as well, so that no parts can be put under another one. */
static struct idem_span bound_of(const char *record)
{
  return (struct idem_span){record + RECORD_SUMMED, sizeof(struct record_head) - RECORD_SUMMED};
}

static int seal_parts(char *record, size_t parts_len, const uint8_t *key)
{
  uint8_t *parts = (uint8_t *)record + sizeof(struct record_head), *nonce = parts + parts_len + SEAL_TAG_SIZE;
  if (getrandom(nonce, SEAL_NONCE_SIZE, 0) != SEAL_NONCE_SIZE)
    return -EIO;
  return seal(key, nonce, bound_of(record), parts, parts_len);
}

int record_write(const struct record_draft *draft, void *place)
{
  const struct idem_answer *a = draft->answer;
  struct idem_span part[RECORD_PARTS];
  struct record_head head = {.magic = RECORD_MAGIC,
                             .version = RECORD_VERSION,
                             .total = sizeof(head),
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
                             .key_kind = (uint16_t)a->key_kind};
  memcpy(head.key, a->key, IDEM_KEY_SIZE);
  memcpy(head.fingerprint, a->fingerprint, IDEM_KEY_SIZE);
  memcpy(head.tenant, a->tenant, IDEM_KEY_SIZE);
  memcpy(head.raw, draft->raw, IDEM_KEY_SIZE);
  memcpy(head.print, draft->print, IDEM_KEY_SIZE);
  parts_of(a, part);
  uint8_t *end = (uint8_t *)place + sizeof(head);
  for (int i = 0; i < RECORD_PARTS; i++) {
    if (part[i].len)
      memcpy(end, part[i].data, part[i].len);
    end += part[i].len;
    head.len[i] = part[i].len;
  }
  size_t parts_len = (size_t)(end - (uint8_t *)place) - sizeof(head);
  head.total = sizeof(head) + parts_len + (draft->key ? RECORD_SEAL_SIZE : 0);
  memcpy(place, &head, sizeof(head));
  int rc = draft->key ? seal_parts(place, parts_len, draft->key) : 0;
  head.checksum = checksum(place, head.total);
  memcpy(place, &head, sizeof(head));
  return rc;
}

static const struct record_head *head_of(struct idem_span record)
{
  const struct record_head *head = (const void *)record.data;
  bool whole = record.len >= sizeof(*head) && head->magic == RECORD_MAGIC &&
               head->version == RECORD_VERSION && head->total == record.len;
  return whole ? head : NULL;
}

/* Cuts the record into its parts; they must fill it exactly. */
static int cut(struct idem_span record, const struct record_head *head, struct idem_span part[RECORD_PARTS])
{
  const char *at = record.data + sizeof(*head);
  size_t left = record.len - sizeof(*head);
  for (int i = 0; i < RECORD_PARTS; i++) {
    if (head->len[i] > left)
      return -EILSEQ;
    part[i] = (struct idem_span){at, head->len[i]};
    at += part[i].len;
    left -= part[i].len;
  }
  return left == 0 && part[RECORD_CHUNKS].len % sizeof(struct idem_chunk) == 0 ? 0 : -EILSEQ;
}

static bool chunks_add_up(const struct idem_answer *answer)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < answer->chunk_count; i++)
    sum += answer->chunks[i].len;
  return sum == answer->body.len;
}

static int take_chunks(struct idem_span part, void *spare, size_t spare_size, struct idem_answer *answer)
{
  answer->chunk_count = part.len / sizeof(struct idem_chunk);
  answer->chunks = (const void *)part.data;
  if ((uintptr_t)part.data % _Alignof(struct idem_chunk)) {
    if (part.len > spare_size)
      return -EILSEQ;
    answer->chunks = memcpy(spare, part.data, part.len);
  }
  return chunks_add_up(answer) ? 0 : -EILSEQ;
}

static void take_head(const struct record_head *head, struct idem_answer *answer)
{
  answer->serial = head->serial;
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

int record_parse(struct idem_span record, void *spare, size_t spare_size, struct idem_answer *answer)
{
  const struct record_head *head = head_of(record);
  struct idem_span part[RECORD_PARTS];
  bool sealed = head && head->flags & RECORD_SEALED;
  if (!head || (!sealed && cut(record, head, part) < 0) || head->key_kind > IDEM_KEY_CONTENT ||
      head->flags > RECORD_FLAGS)
    return -EILSEQ;
  if (sealed)
    *answer = (struct idem_answer){.chunk_count = 0};
  take_head(head, answer);
  answer->record = record;
  if (sealed)
    return 0;
  answer->headers = part[RECORD_HEADERS];
  answer->body = part[RECORD_BODY];
  answer->facts = part[RECORD_FACTS];
  answer->method = part[RECORD_METHOD];
  answer->origin = part[RECORD_ORIGIN];
  answer->path = part[RECORD_PATH];
  answer->query = part[RECORD_QUERY];
  answer->scope = part[RECORD_SCOPE];
  answer->request_headers = part[RECORD_REQUEST_HEADERS];
  answer->request_body = part[RECORD_REQUEST_BODY];
  return take_chunks(part[RECORD_CHUNKS], spare, spare_size, answer);
}

ssize_t record_unseal(struct idem_span record, const uint8_t *key, char *heap)
{
  const struct record_head *sealed = head_of(record);
  size_t least = sizeof(*sealed) + RECORD_SEAL_SIZE;
  if (!sealed || !(sealed->flags & RECORD_SEALED) || record.len < least)
    return -EILSEQ;
  memcpy(heap, record.data, record.len);
  size_t len = record.len - RECORD_SEAL_SIZE;
  uint8_t *parts = (uint8_t *)heap + sizeof(*sealed), *nonce = (uint8_t *)heap + len + SEAL_TAG_SIZE;
  int rc = unseal(key, nonce, bound_of(heap), parts, len - sizeof(*sealed) + SEAL_TAG_SIZE);
  if (rc < 0)
    return rc;
  struct record_head *head = (void *)heap;
  head->flags &= (uint16_t)~RECORD_SEALED;
  head->total = len;
  head->checksum = checksum((const uint8_t *)heap, len);
  return (ssize_t)len;
}

int record_open(struct idem_span record, const uint8_t *key, void **heap, struct idem_answer *answer)
{
  *heap = malloc(record.len);
  ssize_t len = *heap ? record_unseal(record, key, *heap) : -ENOMEM;
  int rc = len < 0 ? (int)len : record_parse((struct idem_span){*heap, (size_t)len}, NULL, 0, answer);
  if (rc == 0)
    return 0;
  free(*heap);
  *heap = NULL;
  return rc;
}

bool record_checksum_holds(struct idem_span record)
{
  const struct record_head *head = head_of(record);
  return head && head->checksum == checksum((const uint8_t *)record.data, record.len);
}

/* True if the request that was sent for it had this raw digest. */
bool record_is_of(struct idem_span record, const uint8_t *raw)
{
  const struct record_head *head = head_of(record);
  return head && memcmp(head->raw, raw, IDEM_KEY_SIZE) == 0;
}

int record_names(struct idem_span record, struct record_names *names)
{
  const struct record_head *head = head_of(record);
  if (!head)
    return -EILSEQ;
  names->serial = head->serial;
  names->expires_us = head->expires_us;
  names->delivered = head->flags & RECORD_DELIVERED;
  memcpy(names->key, head->key, IDEM_KEY_SIZE);
  memcpy(names->raw, head->raw, IDEM_KEY_SIZE);
  memcpy(names->print, head->print, IDEM_KEY_SIZE);
  return 0;
}

void record_id(const uint8_t *key, char id[IDEM_ID_SIZE])
{
  static const char digit[] = "0123456789abcdef";
  for (int i = 0; i < IDEM_ID_SIZE / 2; i++) {
    id[2 * i] = digit[key[i] >> 4];
    id[2 * i + 1] = digit[key[i] & 15];
  }
  id[IDEM_ID_SIZE - 1] = '\0';
}
