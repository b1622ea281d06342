/* SPDX-License-Identifier: MIT */
#include "store/records/claim_record.h"

#include "store/base/clock.h"
#include "store/records/parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* ADVANCE_MOST: how many samples of a content one transaction looks at to find the next number. */
enum { CLAIM_VERSION_0_1 = 1, CLAIM_VERSION = 2, ADVANCE_MOST = 64 };

bool claim_record_is_shared(const struct claim_record *record)
{
  static const uint8_t nobody[sizeof(record->machine)];
  return memcmp(record->machine, nobody, sizeof(nobody)) != 0;
}

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

int claim_record_find(struct idem_store *store, const struct pages_snapshot *snapshot, const uint8_t *key,
                      struct claim_record *record)
{
  struct claim_record here;
  int rc = claim_record_read(snapshot, key, record);
  if (!store->claim_table || !claim_table_find(store->claim_table, key, false, &here) ||
      (rc == 0 && record->generation >= here.generation))
    return rc;
  *record = here;
  return 0;
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

int claim_record_find_print(struct idem_store *store, const struct pages_snapshot *snapshot,
                            const uint8_t *content, struct claim_print *print)
{
  struct claim_record here;
  int rc = claim_record_read_print(snapshot, content, print);
  if (!store->claim_table || !claim_table_find(store->claim_table, content, true, &here) ||
      (rc == 0 && print->at_us >= here.started_us))
    return rc;
  memcpy(print->key, here.fingerprint, IDEM_KEY_SIZE);
  print->at_us = here.started_us;
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

/* Of the claim that the answer under `key` is of; 0: there is none. */
static uint64_t generation_of_answer(const struct pages_snapshot *snapshot, const uint8_t *key)
{
  const struct record_head *head = parts_find_sound(snapshot, key);
  return head && !record_is_old(head) ? head->generation : 0;
}

/* What was sent is over once an answer of it, or of a later try, is stored: its owner died
 * before it could say so. */
uint64_t claim_record_before(struct idem_store *store, const struct pages_snapshot *snapshot,
                             const uint8_t *key, struct claim_record *earlier)
{
  uint64_t answered = generation_of_answer(snapshot, key);
  if (claim_record_find(store, snapshot, key, earlier) == 0 && earlier->generation > answered)
    return earlier->generation;
  memset(earlier, 0, sizeof(*earlier));
  return answered;
}

/* What an earlier owner of the same key means for us. Only one that is still in flight means anything:
 * `released` says that nothing came of it. */
int claim_record_prepare(struct idem_store *store, const struct pages_snapshot *snapshot,
                         struct claim_begin *begin)
{
  const struct name *name = begin->name;
  struct claim_record earlier, *ours = &begin->record;
  begin->before = claim_record_before(store, snapshot, begin->key, &earlier);
  bool same = memcmp(earlier.fingerprint, name->fingerprint, IDEM_KEY_SIZE) == 0;
  begin->verdict = IDEM_OWNED;
  if (earlier.state == CLAIM_IN_FLIGHT && begin->judged && claim_record_is_shared(&earlier)) {
    begin->died = earlier.generation;
  } else if (earlier.state == CLAIM_IN_FLIGHT) {
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
  const struct claim *claim;
  struct claim_record *record;
  const uint8_t *base, *key; /* repeats=fresh */
  uint32_t n;
};

/* By the clock in us, as those of a fleet are by its server's, so that it needs no counter; and after those
 * of the tries before it and beside it, whatever the clock does. */
static uint64_t next_generation(struct idem_store *store, const struct claim *claim)
{
  struct claim_record beside;
  uint64_t generation = (uint64_t)clock_read_us(CLOCK_REALTIME); /* not the coarse one */
  if (generation <= claim->before)
    generation = claim->before + 1;
  if (store->claim_table && claim_table_find(store->claim_table, claim->key, false, &beside) &&
      beside.generation >= generation)
    generation = beside.generation + 1;
  return generation;
}

/* Beside an owner that has stalled its record stays, and ours has none: generation 0
 * says so to the caller. */
static int write_body(struct writer *writer, void *arg)
{
  const struct writing *writing = arg;
  struct claim_record *record = writing->record, other;
  if (writing->claim->beside && claim_record_read(&writer->before, writing->claim->key, &other) == 0 &&
      other.state == CLAIM_IN_FLIGHT) {
    record->generation = 0;
    return 0;
  }
  int rc = put(writer, writing->claim->key, record);
  if (rc < 0 || !writing->claim->print)
    return rc;
  return claim_record_put_print(writer, record->print, writing->claim->key, record->started_us);
}

/* The content of a header's key is noted beside it, for as long as it is under way. */
static bool put_in_table(struct claim_table *table, const struct claim *claim,
                         const struct claim_record *record)
{
  struct claim_record print = *record;
  if (!table || claim_table_put(table, claim->lock, claim->key, record) < 0)
    return false;
  print.state = CLAIM_PRINT;
  memcpy(print.fingerprint, claim->key, IDEM_KEY_SIZE);
  if (!claim->print || claim_table_put(table, claim->lock, claim->print, &print) == 0)
    return true;
  claim_table_free(table, claim->lock, claim->key, record->generation);
  return false;
}

static int flush(struct idem_store *store, struct idem_error *error)
{
  return store->sync && fdatasync(state_claims_fd(store)) < 0
             ? idem_error_set(error, -errno, "%s: cannot be flushed: %s", store->claims_file.path,
                              strerror(errno))
             : 0;
}

int claim_record_write(struct idem_store *store, struct claim *claim, struct claim_record *record,
                       struct idem_error *error)
{
  struct writing writing = {.claim = claim, .record = record};
  record->version = CLAIM_VERSION;
  record->state = CLAIM_IN_FLIGHT;
  record->started_us = clock_now_us();
  /* Who cannot store the answer is not to claim it, either. */
  int rc = state_may_write(store, error);
  if (!claim_record_is_shared(record))
    record->generation = next_generation(store, claim);
  if (rc == 0)
    rc = put_in_table(store->claim_table, claim, record) ? claim->flush ? flush(store, error) : 0
                                                         : state_write(store, write_body, &writing, error);
  claim->generation = record->generation;
  return rc;
}

bool claim_record_stands(struct idem_store *store, const struct claim *claim)
{
  struct claim_record record;
  return store->claim_table &&
         claim_table_own(store->claim_table, claim->lock, claim->key, claim->generation, &record);
}

int claim_record_give_up(struct idem_store *store, struct claim *claim, struct claim_record *record,
                         struct idem_error *error)
{
  record->given_up = 1;
  return store->claim_table &&
                 claim_table_give_up(store->claim_table, claim->lock, claim->key, claim->generation)
             ? 0
             : claim_record_write(store, claim, record, error);
}

/* A later owner's record is not ours to end. What stood in the table comes here where it has no room. */
static int release_body(struct writer *writer, void *arg)
{
  const struct writing *release = arg;
  struct claim_record record, *ours = release->record;
  int rc = claim_record_read(&writer->before, release->claim->key, &record);
  if (ours ? rc == 0 && record.generation >= ours->generation
           : rc < 0 || record.generation != release->claim->generation || record.state != CLAIM_IN_FLIGHT)
    return 0;
  if (!ours)
    ours = &record;
  ours->state = CLAIM_RELEASED;
  return put(writer, release->claim->key, ours);
}

void claim_record_end(struct idem_store *store, const struct claim *claim)
{
  if (!store->claim_table)
    return;
  claim_table_free(store->claim_table, claim->lock, claim->key, claim->generation);
  if (claim->print)
    claim_table_free(store->claim_table, claim->lock, claim->print, claim->generation);
}

int claim_record_release(struct idem_store *store, const struct claim *claim)
{
  struct claim_record ours;
  struct writing release = {.claim = claim};
  if (store->claim_table) {
    if (claim->print)
      claim_table_free(store->claim_table, claim->lock, claim->print, claim->generation);
    if (claim_table_release(store->claim_table, claim->lock, claim->key, claim->generation))
      return 0;
    if (claim_table_own(store->claim_table, claim->lock, claim->key, claim->generation, &ours))
      release.record = &ours;
  }
  int rc = state_write(store, release_body, &release, NULL);
  if (rc >= 0)
    claim_record_end(store, claim);
  return rc;
}

/* Most commits have none there. */
int claim_record_drop(struct writer *writer, const uint8_t *key)
{
  struct idem_span value;
  int rc = pages_get(&writer->before, PAGES_OPS, key, IDEM_KEY_SIZE, &value);
  return rc == -ENOENT ? 0 : rc < 0 ? rc : writer_delete(writer, PAGES_OPS, key, IDEM_KEY_SIZE);
}

struct forgetting {
  const uint8_t *key;
  uint64_t generation;
  int64_t before_us;
};

static bool is_to_be_forgotten(void *arg, const uint8_t *key, const struct claim_record *record)
{
  const struct forgetting *forget = arg;
  return forget->key
             ? memcmp(key, forget->key, IDEM_KEY_SIZE) == 0 && record->generation <= forget->generation
             : record->started_us < forget->before_us;
}

void claim_record_forget(struct idem_store *store, const uint8_t *key, uint64_t generation)
{
  struct forgetting forget = {.key = key, .generation = generation};
  if (store->claim_table)
    claim_table_sweep(store->claim_table, &store->claims_file, key, is_to_be_forgotten, &forget);
}

unsigned claim_record_forget_old(struct idem_store *store, int64_t before_us)
{
  struct forgetting forget = {.before_us = before_us};
  return store->claim_table
             ? claim_table_sweep(store->claim_table, &store->claims_file, NULL, is_to_be_forgotten, &forget)
             : 0;
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
  const struct record_head *head = parts_find(snapshot, key, &record);
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
