/* SPDX-License-Identifier: MIT */
#include "store/records/answer_index.h"

#include "store/base/clock.h"
#include "store/base/kept.h"
#include "store/records/claim_record.h"
#include "store/records/parts.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char serial_key[] = "serial";

/* A record is written once: a checksum that held in this process holds. Remembering it spares a hit on 2 KB a
 * tenth of its time. */
static bool is_sound(struct idem_store *store, struct idem_span record, uint64_t serial)
{
  _Atomic uint64_t *slot = &store->verified[serial % STORE_VERIFIED];
  if (atomic_load_explicit(slot, memory_order_relaxed) == serial)
    return true;
  if (!record_checksum_holds(record))
    return false;
  atomic_store_explicit(slot, serial, memory_order_relaxed);
  return true;
}

_Static_assert((int)PARTS_SIZE <= (int)READER_SPARE, "what is one value is short");

/* On the path of every hit. Whether it has expired is asked last, so that damage is counted whatever its
 * age. A short answer is copied before anything but its head is looked at: what the app is given it may look
 * at for as long as it likes. */
enum answer_index_found answer_index_read(struct idem_store *store, struct reader *reader, const uint8_t *key,
                                          uint64_t ttl_ms, struct idem_span value, struct idem_answer *answer)
{
  bool is_short = value.data && value.len <= sizeof(reader->spare) && record_head(value);
  if (is_short)
    value.data = memcpy(reader->spare, value.data, value.len);
  if ((is_short ? record_parse(value, answer) : record_tell(value, answer)) < 0 ||
      memcmp(answer->key, key, IDEM_KEY_SIZE) != 0 || (is_short && !is_sound(store, value, answer->serial))) {
    stats_add(store->stats, reader->shard, IDEM_COUNTER_damaged, 1);
    return ANSWER_DAMAGED;
  }
  int64_t now = clock_now_us();
  uint64_t age = now > answer->stored_us ? (uint64_t)(now - answer->stored_us) : 0;
  bool expired = now >= answer->expires_us || (ttl_ms <= UINT64_MAX / 1000 && age >= ttl_ms * 1000);
  return expired ? ANSWER_EXPIRED : ANSWER_FRESH;
}

enum answer_index_found answer_index_find(struct idem_store *store, struct reader *reader, const uint8_t *key,
                                          uint64_t ttl_ms, struct idem_answer *answer)
{
  struct idem_span value = {NULL, 0}; /* damaged, where its page is */
  return pages_get(&reader->snapshot, PAGES_ANSWERS, key, IDEM_KEY_SIZE, &value) == -ENOENT
             ? ANSWER_NONE
             : answer_index_read(store, reader, key, ttl_ms, value, answer);
}

int answer_index_take(struct idem_store *store, struct reader *reader, void **heap,
                      struct idem_answer *answer)
{
  struct idem_span value = answer->record;
  *heap = NULL;
  if (value.data == reader->spare && !store->sealed)
    return 0;
  const struct record_head *head = record_first(value);
  size_t len = head ? head->total : 0;
  bool has = false;
  char *place = !head ? NULL : store->sealed ? malloc(len) : kept_take(head, sizeof(*head), len, &has);
  int rc = !place ? -ENOMEM : has ? 0 : parts_join(&reader->snapshot, value, place);
  if (rc == 0 && !has && !is_sound(store, (struct idem_span){place, len}, answer->serial))
    rc = -EILSEQ;
  if (rc == 0)
    rc = record_open(place, len, store->sealed ? store->seal_key : NULL, answer);
  if (rc == 0)
    answer->is_lent = !has && !kept_filled(place);
  if (rc < 0)
    kept_give(place);
  else
    *heap = place;
  return rc;
}

const struct answer_index_raw *answer_index_raw(const struct reader *reader, const uint8_t *raw)
{
  struct idem_span value;
  bool found = pages_get(&reader->snapshot, PAGES_RAW, raw, IDEM_KEY_SIZE, &value) == 0 &&
               value.len == sizeof(struct answer_index_raw);
  return found ? (const void *)value.data : NULL;
}

void answer_index_age_key(uint64_t serial, uint8_t out[8])
{
  uint64_t big = htobe64(serial);
  memcpy(out, &big, sizeof(big));
}

void answer_index_expiry_key(int64_t expires_us, uint64_t serial, uint8_t out[16])
{
  answer_index_age_key(expires_us < 0 ? 0 : (uint64_t)expires_us, out);
  answer_index_age_key(serial, out + 8);
}

int64_t answer_index_expiry_time(const char *expiry_key)
{
  uint64_t big;
  memcpy(&big, expiry_key, sizeof(big));
  return (int64_t)be64toh(big);
}

uint64_t answer_index_last(const struct pages_snapshot *snapshot)
{
  struct idem_span last;
  uint64_t serial = 0;
  if (pages_get(snapshot, PAGES_META, serial_key, sizeof(serial_key), &last) == 0 &&
      last.len == sizeof(serial))
    memcpy(&serial, last.data, sizeof(serial));
  return serial;
}

/* A damaged one is none. */
bool answer_index_is_later(const struct pages_snapshot *snapshot, const uint8_t *key, uint64_t serial)
{
  const struct record_head *head = parts_find_sound(snapshot, key);
  return head && head->serial > serial;
}

/* A short one where it is to stand, so that it is copied once; a long one before it is cut. An assertion of
 * LMDB's loses its memory. */
static int put_record(struct writer *writer, const struct answer_index_new *new, struct record_head *head)
{
  size_t size = new->draft ? record_size(new->draft) : new->record.len;
  bool is_short = size <= PARTS_SIZE;
  void *place = is_short || !size ? NULL : malloc(size), *heap = place;
  int rc = !size      ? -EFBIG
           : is_short ? writer_reserve(writer, PAGES_ANSWERS, new->key, IDEM_KEY_SIZE, size, &place)
           : heap     ? 0
                      : -ENOMEM;
  if (rc == 0 && new->draft)
    rc = record_write(new->draft, place);
  else if (rc == 0)
    record_copy(new->record, new->serial, place);
  if (rc == 0)
    memcpy(head, place, sizeof(*head));
  if (rc == 0 && heap)
    rc = parts_put(writer, new->key, (struct idem_span){heap, size});
  free(heap);
  return rc;
}

/* The record first: the indexes of an answer that could not be written would lead nowhere. */
int answer_index_put(struct writer *writer, const struct answer_index_new *new)
{
  uint8_t age[8], expiry[16];
  struct record_head head;
  struct answer_index_raw raw = {.sampled = new->sampled};
  memcpy(raw.base, new->base, IDEM_KEY_SIZE);
  int rc = put_record(writer, new, &head);
  if (rc < 0)
    return rc;
  /* What both have written is told by its head. */
  answer_index_age_key(head.serial, age);
  answer_index_expiry_key(head.expires_us, head.serial, expiry);
  rc = writer_put(writer, PAGES_RAW, head.raw, IDEM_KEY_SIZE, &raw, sizeof(raw));
  if (rc == 0)
    rc = writer_put(writer, PAGES_AGE, age, sizeof(age), new->key, IDEM_KEY_SIZE);
  if (rc == 0 && head.expires_us != INT64_MAX)
    rc = writer_put(writer, PAGES_EXPIRY, expiry, sizeof(expiry), new->key, IDEM_KEY_SIZE);
  /* The claim's own print may have gone with the answer that this one replaces. */
  if (rc == 0 && head.key_kind != IDEM_KEY_JSON)
    rc = claim_record_put_print(writer, head.print, new->key, head.stored_us);
  return rc;
}

int answer_index_put_last(struct writer *writer, uint64_t serial)
{
  return writer_put(writer, PAGES_META, serial_key, sizeof(serial_key), &serial, sizeof(serial));
}

/* The head of a damaged record still names its indexes, if it is whole; else they are strays, which are
 * passed over and in time cleared. */
int answer_index_victim(const struct pages_snapshot *snapshot, const uint8_t *key,
                        struct answer_index_victim *out)
{
  struct idem_span record;
  int rc = pages_get(snapshot, PAGES_ANSWERS, key, IDEM_KEY_SIZE, &record);
  *out = (struct answer_index_victim){.bytes = rc == 0 ? record.len : 0};
  memcpy(out->key, key, IDEM_KEY_SIZE);
  const struct record_head *head = rc == 0 ? record_first(record) : NULL;
  if (head && memcmp(head->key, key, IDEM_KEY_SIZE) == 0) {
    out->head = head;
    out->bytes = head->total;
    answer_index_expiry_key(head->expires_us, head->serial, out->expiry);
  }
  return rc;
}

/* What a tree calls the victim, by where that stands in the head. */
static const uint8_t *name_of(const struct answer_index_victim *victim, size_t offset)
{
  return victim->head ? (const uint8_t *)victim->head + offset : victim->key;
}

static int compare(const void *a, const void *b, void *offset)
{
  return memcmp(name_of(a, *(size_t *)offset), name_of(b, *(size_t *)offset), IDEM_KEY_SIZE);
}

/* The content may have been sent under another key since. */
static bool is_noted(const struct writer *writer, const struct answer_index_victim *victim)
{
  struct claim_print print;
  return victim->head && claim_record_read_print(&writer->before, victim->head->print, &print) == 0 &&
         memcmp(print.key, victim->key, IDEM_KEY_SIZE) == 0;
}

/* What a damaged head says of parts is not followed. */
static bool may_have_parts(const struct answer_index_victim *victim)
{
  return !victim->head || (!record_is_old(victim->head) && victim->head->parts);
}

/* Names are digests, and each is on a page of its own until they are many: in order, a
 * page is gone to once. */
int answer_index_drop_all(struct writer *writer, struct answer_index_victim *victims, size_t count)
{
  static const struct {
    enum pages_tree tree;
    size_t offset;
  } named[] = {{PAGES_RAW, offsetof(struct record_head, raw)},
               {PAGES_PRINTS, offsetof(struct record_head, print)},
               {PAGES_PARTS, offsetof(struct record_head, key)},
               {PAGES_ANSWERS, offsetof(struct record_head, key)}};
  const struct answer_index_victim *victim, *end = victims + count;
  int rc = 0;
  for (victim = victims; victim < end && rc == 0; victim++)
    if (victim->head && (rc = writer_delete(writer, PAGES_AGE, victim->expiry + 8, 8)) == 0)
      rc = writer_delete(writer, PAGES_EXPIRY, victim->expiry, sizeof(victim->expiry));
  for (size_t i = 0; i < sizeof(named) / sizeof(*named) && rc == 0; i++) {
    size_t offset = named[i].offset;
    enum pages_tree tree = named[i].tree;
    if (count > 1)
      qsort_r(victims, count, sizeof(*victims), compare, &offset);
    for (victim = victims; victim < end && rc == 0; victim++)
      if (tree == PAGES_PARTS)
        rc = may_have_parts(victim) ? parts_drop(writer, victim->key) : 0;
      else if (tree == PAGES_PRINTS ? is_noted(writer, victim) : tree == PAGES_ANSWERS || victim->head)
        rc = writer_delete(writer, tree, name_of(victim, offset), IDEM_KEY_SIZE);
  }
  return rc;
}

int answer_index_drop(struct writer *writer, const uint8_t *key)
{
  struct answer_index_victim victim;
  int rc = answer_index_victim(&writer->before, key, &victim);
  return rc == -ENOENT ? 0 : rc < 0 ? rc : answer_index_drop_all(writer, &victim, 1);
}
