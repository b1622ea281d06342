/* SPDX-License-Identifier: MIT */
#include "store/records/claim_record.h"

#include "store/base/clock.h"
#include "store/records/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { OP_VERSION = 1, ADVANCE_MOST = 64 };

int claim_record_parse(struct idem_span value, struct op *op)
{
  if (value.len != sizeof(*op))
    return -EILSEQ;
  memcpy(op, value.data, sizeof(*op));
  op->upstream_key[sizeof(op->upstream_key) - 1] = '\0';
  return op->version == OP_VERSION ? 0 : -EILSEQ;
}

int claim_record_read(struct reader *reader, const uint8_t *key, struct op *op)
{
  struct idem_span value;
  int rc = reader_get(reader, PAGES_OPS, key, IDEM_KEY_SIZE, &value);
  return rc < 0 ? rc : claim_record_parse(value, op);
}

int claim_record_fetch(struct writer *writer, const uint8_t *key, struct op *op)
{
  struct idem_span value;
  int rc = writer_get(writer, PAGES_OPS, key, IDEM_KEY_SIZE, &value);
  return rc < 0 ? rc : claim_record_parse(value, op);
}

int claim_record_store(struct writer *writer, const uint8_t *key, const struct op *op)
{
  return writer_put(writer, PAGES_OPS, key, IDEM_KEY_SIZE, op, sizeof(*op));
}

int print_parse(struct idem_span value, struct print *print)
{
  if (value.len != sizeof(*print))
    return -EILSEQ;
  memcpy(print, value.data, sizeof(*print));
  return 0;
}

/* RFC 9562, version 4. */
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

/* What an earlier owner of the same key means for us. */
static void judge_earlier(struct claim_record_begin *begin, const struct op *earlier)
{
  bool same = memcmp(earlier->fingerprint, begin->name->fingerprint, IDEM_KEY_SIZE) == 0;
  begin->verdict = IDEM_OWNED;
  if (earlier->state != CLAIM_IN_FLIGHT)
    return;
  begin->died = earlier->generation;
  begin->mismatched = !same;
  if (!same && begin->mismatch != IDEM_MISMATCH_REPLAY)
    begin->verdict = IDEM_MISMATCH;
  else if (begin->indoubt == IDEM_INDOUBT_FAIL)
    begin->verdict = IDEM_IN_DOUBT;
  else
    begin->resent = same;
}

/* Judges, and drafts our own record: nothing of it is written yet. */
static int draft(struct claim_record_begin *begin, const struct op *earlier)
{
  const struct name *name = begin->name;
  struct op *op = &begin->op;
  judge_earlier(begin, earlier);
  *op = (struct op){.version = OP_VERSION, .state = CLAIM_IN_FLIGHT};
  memcpy(op->fingerprint, name->fingerprint, IDEM_KEY_SIZE);
  memcpy(op->print, name->print, IDEM_KEY_SIZE);
  /* Upstream knows a key by its content too: other content is another operation there. */
  bool keep = earlier->upstream_key[0] && memcmp(earlier->fingerprint, name->fingerprint, IDEM_KEY_SIZE) == 0;
  if (!keep)
    return make_uuid(op->upstream_key);
  memcpy(op->upstream_key, earlier->upstream_key, sizeof(op->upstream_key));
  return 0;
}

struct recording {
  const uint8_t *key;
  struct op *op;
  bool churns;
};

static int record_body(struct writer *writer, void *arg)
{
  struct recording *recording = arg;
  struct op *op = recording->op;
  op->version = OP_VERSION;
  op->state = CLAIM_IN_FLIGHT;
  op->generation = writer_number(writer);
  op->started_us = clock_now_us();
  int rc = claim_record_store(writer, recording->key, op);
  if (rc < 0 || !recording->churns)
    return rc;
  struct print print = {.at_us = op->started_us};
  memcpy(print.key, recording->key, IDEM_KEY_SIZE);
  return writer_put(writer, PAGES_PRINTS, op->print, IDEM_KEY_SIZE, &print, sizeof(print));
}

int claim_record_record(struct engine *engine, const uint8_t *key, struct op *op, bool churns,
                        struct idem_error *error)
{
  struct recording recording = {key, op, churns};
  return engine_write(engine, record_body, &recording, error);
}

/* A record that cannot be read is none. */
static int draft_after(struct claim_record_begin *begin, const struct op *earlier, int found)
{
  static const struct op none;
  return draft(begin, found == 0 ? earlier : &none);
}

int claim_record_prepare(struct reader *reader, struct claim_record_begin *begin)
{
  struct op earlier;
  return draft_after(begin, &earlier, claim_record_read(reader, begin->key, &earlier));
}

static int begin_body(struct writer *writer, void *arg)
{
  struct claim_record_begin *begin = arg;
  struct op earlier;
  int rc = draft_after(begin, &earlier, claim_record_fetch(writer, begin->key, &earlier));
  struct recording recording = {begin->key, &begin->op, begin->name->kind == IDEM_KEY_HEADER};
  return rc < 0 || begin->verdict != IDEM_OWNED ? rc : record_body(writer, &recording);
}

int claim_record_begin(struct engine *engine, struct claim_record_begin *begin, struct idem_error *error)
{
  return engine_write(engine, begin_body, begin, error);
}

struct release {
  const uint8_t *key;
  uint64_t generation;
};

static int release_body(struct writer *writer, void *arg)
{
  const struct release *release = arg;
  struct op op;
  int rc = claim_record_fetch(writer, release->key, &op);
  if (rc < 0 || op.generation != release->generation || op.state != CLAIM_IN_FLIGHT)
    return 0;
  op.state = CLAIM_RELEASED;
  return claim_record_store(writer, release->key, &op);
}

int claim_record_release(struct engine *engine, const uint8_t *key, uint64_t generation)
{
  struct release release = {key, generation};
  return engine_write(engine, release_body, &release, NULL);
}

struct delivery {
  const uint8_t *base, *key;
  uint32_t n;
};

static bool was_delivered(struct writer *writer, const uint8_t *base, uint32_t n)
{
  uint8_t key[IDEM_KEY_SIZE];
  struct op mark;
  struct idem_span record;
  struct record_names names;
  key_of_repeat(IDEM_REPEATS_FRESH, base, n, key);
  if (claim_record_fetch(writer, key, &mark) == 0 && mark.state == CLAIM_DELIVERED)
    return true;
  return writer_get(writer, PAGES_ANSWERS, key, sizeof(key), &record) == 0 &&
         record_names(record, &names) == 0 && names.delivered;
}

/* The counter stands at the first number whose answer no app has got, as far as one transaction should look.
 */
int claim_record_advance(struct writer *writer, const uint8_t *base, uint32_t n)
{
  struct op counter;
  if (claim_record_fetch(writer, base, &counter) < 0 || counter.state != CLAIM_COUNTER)
    counter = (struct op){.version = OP_VERSION, .state = CLAIM_COUNTER};
  for (int i = 0; i < ADVANCE_MOST && (counter.next == n || was_delivered(writer, base, counter.next)); i++)
    counter.next++;
  counter.started_us = clock_now_us();
  return claim_record_store(writer, base, &counter);
}

static int delivered_body(struct writer *writer, void *arg)
{
  const struct delivery *delivery = arg;
  struct op mark = {.version = OP_VERSION, .state = CLAIM_DELIVERED, .started_us = clock_now_us()};
  int rc = claim_record_store(writer, delivery->key, &mark);
  return rc < 0 ? rc : claim_record_advance(writer, delivery->base, delivery->n);
}

int claim_record_mark_delivered(struct engine *engine, const uint8_t *base, const uint8_t *key, uint32_t n)
{
  struct delivery delivery = {base, key, n};
  return engine_write(engine, delivered_body, &delivery, NULL);
}
