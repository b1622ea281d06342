/* SPDX-License-Identifier: MIT */
#include "store/record.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { RECORD_MAGIC = 0x1de3a25e, RECORD_VERSION = 1 };
enum { RECORD_EVENT_STREAM = 1, RECORD_DELIVERED = 2, RECORD_FLAGS = 3 };

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
  size_t size = sizeof(struct record_head);
  parts_of(draft->answer, part);
  for (int i = 0; i < RECORD_PARTS; i++) {
    if (part[i].len > UINT32_MAX / 2 || size > UINT32_MAX / 2)
      return 0;
    size += part[i].len;
  }
  return size;
}

static uint64_t checksum(const uint8_t *record, size_t len)
{
  size_t from = offsetof(struct record_head, checksum) + sizeof(uint64_t);
  return XXH3_64bits(record + from, len - from);
}

void record_write(const struct record_draft *draft, void *place)
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
                                                 (a->delivered ? RECORD_DELIVERED : 0)),
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
  head.total = (uint64_t)(end - (uint8_t *)place);
  memcpy(place, &head, sizeof(head));
  head.checksum = checksum(place, head.total);
  memcpy(place, &head, sizeof(head));
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
  if (!head || cut(record, head, part) < 0 || head->key_kind > IDEM_KEY_CONTENT || head->flags > RECORD_FLAGS)
    return -EILSEQ;
  take_head(head, answer);
  answer->record = record;
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
