/* SPDX-License-Identifier: MIT */
#include "store/records/claim_record.h"

#include "store/base/clock.h"
#include "store/records/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { CLAIM_VERSION_0_1 = 1, CLAIM_VERSION = 2, ADVANCE_MOST = 64 };

/* The key ends with a NUL whatever the bytes are, for it goes into a header line. */
int claim_record_parse(struct idem_span value, struct claim_record *record)
{
  const size_t old = offsetof(struct claim_record, epoch);
  if (value.len != sizeof(*record) && value.len != old)
    return -EILSEQ;
  *record = (struct claim_record){.version = 0};
  memcpy(record, value.data, value.len);
  record->upstream_key[sizeof(record->upstream_key) - 1] = '\0';
  return record->version == (value.len == old ? CLAIM_VERSION_0_1 : CLAIM_VERSION) ? 0 : -EILSEQ;
}

int claim_record_read(const struct pages_snapshot *snapshot, const uint8_t *key, struct claim_record *record)
{
  struct idem_span value;
  int rc = pages_get(snapshot, PAGES_OPS, key, IDEM_KEY_SIZE, &value);
  return rc < 0 ? rc : claim_record_parse(value, record);
}

/* One record for a key; a later one takes its place. */
static int put(struct writer *writer, const uint8_t *key, const struct claim_record *record)
{
  return writer_put(writer, PAGES_OPS, key, IDEM_KEY_SIZE, record, sizeof(*record));
}

/* The store keeps the last key alone: churn is seen between one call and the next. */
int claim_record_read_print(const struct pages_snapshot *snapshot, const uint8_t *content,
                            struct claim_print *print)
{
  struct idem_span value;
  int rc = pages_get(snapshot, PAGES_PRINTS, content, IDEM_KEY_SIZE, &value);
  if (rc < 0)
    return rc;
  if (value.len != sizeof(*print))
    return -EILSEQ;
  memcpy(print, value.data, sizeof(*print));
  return 0;
}

int claim_record_put_print(struct writer *writer, const uint8_t *content, const uint8_t *key, int64_t at_us)
{
  struct claim_print print = {.at_us = at_us};
  memcpy(print.key, key, IDEM_KEY_SIZE);
  return writer_put(writer, PAGES_PRINTS, content, IDEM_KEY_SIZE, &print, sizeof(print));
}

/* RFC 9562, version 4: what upstream gets as its idempotency key must be nobody else's. */
static int make_uuid(char out[40])
{
  uint8_t b[16];
  if (getrandom(b, sizeof(b), 0) != sizeof(b))
    return -EIO;
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  snprintf(out, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
           b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
  return 0;
}

/* What an earlier owner of the same key means for us. Only one that is still in flight means anything:
 * `released` says that nothing came of it. */
int claim_record_prepare(const struct pages_snapshot *snapshot, struct claim_begin *begin)
{
  const struct name *name = begin->name;
  struct claim_record earlier, *ours = &begin->record;
  if (claim_record_read(snapshot, begin->key, &earlier) < 0)
    memset(&earlier, 0, sizeof(earlier));
  bool same = memcmp(earlier.fingerprint, name->fingerprint, IDEM_KEY_SIZE) == 0;
  begin->verdict = IDEM_OWNED;
  if (earlier.state == CLAIM_IN_FLIGHT) {
    /* We hold its lock, so its owner has died, or did not know what had become of it. */
    begin->died = earlier.generation;
    begin->mismatched = !same;
    if (!same && begin->mismatch != IDEM_MISMATCH_REPLAY)
      begin->verdict = IDEM_MISMATCH;
    else if (begin->indoubt == IDEM_INDOUBT_FAIL)
      begin->verdict = IDEM_IN_DOUBT;
    else
      begin->resent = same;
  }
  *ours = (struct claim_record){.version = CLAIM_VERSION, .state = CLAIM_IN_FLIGHT};
  memcpy(ours->fingerprint, name->fingerprint, IDEM_KEY_SIZE);
  memcpy(ours->print, name->print, IDEM_KEY_SIZE);
  /* Upstream knows a key by its content too: other content is another operation there. */
  if (!same || !earlier.upstream_key[0])
    return make_uuid(ours->upstream_key);
  memcpy(ours->upstream_key, earlier.upstream_key, sizeof(ours->upstream_key));
  return 0;
}

/* Arguments of the transactions below, whose bodies get one pointer. */
struct writing {
  const uint8_t *key;
  struct claim_record *record;
  bool churns, beside;
  uint64_t generation; /* to be released */
  const uint8_t *base; /* repeats=fresh */
  uint32_t n;
};

/* Runs twice for a call that is given up: the second time gives it a new generation, which its commit must
 * name. */
static int write_body(struct writer *writer, void *arg)
{
  const struct writing *writing = arg;
  struct claim_record *record = writing->record, other;
  if (writing->beside && claim_record_read(&writer->before, writing->key, &other) == 0 &&
      other.state == CLAIM_IN_FLIGHT)
    return 0;
  record->version = CLAIM_VERSION;
  record->state = CLAIM_IN_FLIGHT;
  record->generation = writer_number(writer);
  record->started_us = clock_now_us();
  int rc = put(writer, writing->key, record);
  if (rc < 0 || !writing->churns)
    return rc;
  return claim_record_put_print(writer, record->print, writing->key, record->started_us);
}

int claim_record_write(struct idem_store *store, const uint8_t *key, struct claim_record *record, bool churns,
                       bool beside, struct idem_error *error)
{
  struct writing writing = {.key = key, .record = record, .churns = churns, .beside = beside};
  return state_write(store, write_body, &writing, error);
}

/* Judging and writing are one transaction, though we hold the lock: the record may have been dropped as
 * old in between. */
static int begin_body(struct writer *writer, void *arg)
{
  struct claim_begin *begin = arg;
  int rc = claim_record_prepare(&writer->before, begin);
  struct writing writing = {
      .key = begin->key, .record = &begin->record, .churns = begin->name->kind == IDEM_KEY_HEADER};
  return rc < 0 || begin->verdict != IDEM_OWNED ? rc : write_body(writer, &writing);
}

int claim_record_begin(struct idem_store *store, struct claim_begin *begin, struct idem_error *error)
{
  return state_write(store, begin_body, begin, error);
}

/* A later owner's record is not ours to end. */
static int release_body(struct writer *writer, void *arg)
{
  const struct writing *release = arg;
  struct claim_record record;
  int rc = claim_record_read(&writer->before, release->key, &record);
  if (rc < 0 || record.generation != release->generation || record.state != CLAIM_IN_FLIGHT)
    return 0;
  record.state = CLAIM_RELEASED;
  return put(writer, release->key, &record);
}

int claim_record_release(struct idem_store *store, const uint8_t *key, uint64_t generation)
{
  struct writing release = {.key = key, .generation = generation};
  return state_write(store, release_body, &release, NULL);
}

/* repeats=fresh. An answer says itself that it was delivered, if that was known when it was stored; else a
 * mark in the place of its claim does. */
static bool was_delivered(const struct pages_snapshot *snapshot, const uint8_t *base, uint32_t n)
{
  uint8_t key[IDEM_KEY_SIZE];
  struct claim_record mark;
  struct idem_span record;
  key_of_repeat(base, n, key);
  if (claim_record_read(snapshot, key, &mark) == 0 && mark.state == CLAIM_DELIVERED)
    return true;
  if (pages_get(snapshot, PAGES_ANSWERS, key, sizeof(key), &record) < 0)
    return false;
  const struct record_head *head = record_head(record);
  return head && head->flags & RECORD_DELIVERED;
}

/* No call has the last number, and number 0 has the base key itself. */
static void key_of_counter(const uint8_t *base, uint8_t key[IDEM_KEY_SIZE])
{
  key_of_repeat(base, UINT32_MAX, key);
}

uint32_t claim_record_next(const struct pages_snapshot *snapshot, const uint8_t *base)
{
  uint8_t key[IDEM_KEY_SIZE];
  struct claim_record counter;
  key_of_counter(base, key);
  return claim_record_read(snapshot, key, &counter) == 0 && counter.state == CLAIM_COUNTER ? counter.next : 0;
}

/* The counter stands at the first number whose answer no app has got, as far as one transaction should look.
 */
int claim_record_advance(struct writer *writer, const uint8_t *base, uint32_t n)
{
  uint8_t key[IDEM_KEY_SIZE];
  struct claim_record counter = {
      .version = CLAIM_VERSION, .state = CLAIM_COUNTER, .next = claim_record_next(&writer->before, base)};
  key_of_counter(base, key);
  for (int i = 0; i < ADVANCE_MOST; i++, counter.next++)
    if (counter.next != n && !was_delivered(&writer->before, base, counter.next))
      break;
  counter.started_us = clock_now_us();
  return put(writer, key, &counter);
}

/* The mark stands where the claim stood, under the key of the answer itself. */
static int delivered_body(struct writer *writer, void *arg)
{
  const struct writing *delivery = arg;
  struct claim_record mark = {
      .version = CLAIM_VERSION, .state = CLAIM_DELIVERED, .started_us = clock_now_us()};
  int rc = put(writer, delivery->key, &mark);
  return rc < 0 ? rc : claim_record_advance(writer, delivery->base, delivery->n);
}

int claim_record_mark_delivered(struct idem_store *store, const uint8_t *base, const uint8_t *key, uint32_t n)
{
  struct writing delivery = {.key = key, .base = base, .n = n};
  return state_write(store, delivered_body, &delivery, NULL);
}
