/* SPDX-License-Identifier: MIT */
#include "store/records/answer_index.h"

#include "store/base/clock.h"
#include "store/records/claim_record.h"

#include <endian.h>
#include <errno.h>
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

static bool is_expired(const struct idem_answer *answer, uint64_t ttl_ms)
{
  int64_t now = clock_now_us();
  if (now >= answer->expires_us)
    return true;
  uint64_t age = now > answer->stored_us ? (uint64_t)(now - answer->stored_us) : 0;
  return ttl_ms <= UINT64_MAX / 1000 && age >= ttl_ms * 1000;
}

enum answer_index_found answer_index_find(struct idem_store *store, struct reader *reader, const uint8_t *key,
                                          uint64_t ttl_ms, struct idem_answer *answer)
{
  struct idem_span value;
  int rc = reader_get(reader, PAGES_ANSWERS, key, IDEM_KEY_SIZE, &value);
  if (rc == -ENOENT)
    return ANSWER_NONE;
  if (rc < 0 || record_parse(value, reader->spare, sizeof(reader->spare), answer) < 0 ||
      memcmp(answer->key, key, IDEM_KEY_SIZE) != 0 || !is_sound(store, value, answer->serial)) {
    stats_add(store->stats, reader->shard, IDEM_COUNTER_damaged, 1);
    return ANSWER_DAMAGED;
  }
  return is_expired(answer, ttl_ms) ? ANSWER_EXPIRED : ANSWER_FRESH;
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

uint64_t answer_index_last_serial(struct writer *writer)
{
  struct idem_span value;
  uint64_t serial = 0;
  if (writer_get(writer, PAGES_META, serial_key, sizeof(serial_key), &value) == 0 &&
      value.len == sizeof(serial))
    memcpy(&serial, value.data, sizeof(serial));
  return serial;
}

/* The claim's own print may have gone with the answer that this one replaces. */
static int put_print(struct writer *writer, const struct idem_answer *answer, const uint8_t *print_key)
{
  struct print print = {.at_us = answer->stored_us};
  if (answer->key_kind != IDEM_KEY_HEADER)
    return 0;
  memcpy(print.key, answer->key, IDEM_KEY_SIZE);
  return writer_put(writer, PAGES_PRINTS, print_key, IDEM_KEY_SIZE, &print, sizeof(print));
}

static int put_indexes(struct writer *writer, const struct idem_answer *answer,
                       const struct record_draft *draft)
{
  uint8_t age[8], expiry[16];
  answer_index_age_key(answer->serial, age);
  answer_index_expiry_key(answer->expires_us, answer->serial, expiry);
  int rc =
      writer_put(writer, PAGES_META, serial_key, sizeof(serial_key), &answer->serial, sizeof(answer->serial));
  if (rc == 0)
    rc = writer_put(writer, PAGES_RAW, draft->raw, IDEM_KEY_SIZE, draft->base, IDEM_KEY_SIZE);
  if (rc == 0)
    rc = writer_put(writer, PAGES_AGE, age, sizeof(age), answer->key, IDEM_KEY_SIZE);
  if (rc == 0 && answer->expires_us != INT64_MAX)
    rc = writer_put(writer, PAGES_EXPIRY, expiry, sizeof(expiry), answer->key, IDEM_KEY_SIZE);
  return rc == 0 ? put_print(writer, answer, draft->print) : rc;
}

int answer_index_put(struct writer *writer, struct idem_answer *answer, const struct record_draft *draft)
{
  void *place;
  size_t size = record_size(draft);
  answer->serial = answer_index_last_serial(writer) + 1;
  int rc = size ? writer_reserve(writer, PAGES_ANSWERS, answer->key, IDEM_KEY_SIZE, size, &place) : -EFBIG;
  if (rc < 0)
    return rc;
  rc = record_write(draft, place);
  return rc < 0 ? rc : put_indexes(writer, answer, draft);
}

/* The content's last key, if it is still this one. */
static int drop_print(struct writer *writer, const uint8_t *print_key, const uint8_t *key)
{
  struct idem_span value;
  struct print print;
  if (writer_get(writer, PAGES_PRINTS, print_key, IDEM_KEY_SIZE, &value) < 0 ||
      print_parse(value, &print) < 0 || memcmp(print.key, key, IDEM_KEY_SIZE) != 0)
    return 0;
  return writer_delete(writer, PAGES_PRINTS, print_key, IDEM_KEY_SIZE);
}

static int drop_indexes(struct writer *writer, const struct record_names *names)
{
  uint8_t age[8], expiry[16];
  answer_index_age_key(names->serial, age);
  answer_index_expiry_key(names->expires_us, names->serial, expiry);
  int rc = writer_delete(writer, PAGES_RAW, names->raw, IDEM_KEY_SIZE);
  if (rc == 0)
    rc = writer_delete(writer, PAGES_AGE, age, sizeof(age));
  if (rc == 0)
    rc = writer_delete(writer, PAGES_EXPIRY, expiry, sizeof(expiry));
  return rc == 0 ? drop_print(writer, names->print, names->key) : rc;
}

int answer_index_drop(struct writer *writer, const uint8_t *key, uint64_t *bytes)
{
  struct idem_span record;
  struct record_names names;
  int rc = writer_get(writer, PAGES_ANSWERS, key, IDEM_KEY_SIZE, &record);
  if (rc < 0)
    return rc == -ENOENT ? 0 : rc;
  if (bytes)
    *bytes += record.len;
  if (record_names(record, &names) == 0 && memcmp(names.key, key, IDEM_KEY_SIZE) == 0)
    rc = drop_indexes(writer, &names);
  return rc < 0 ? rc : writer_delete(writer, PAGES_ANSWERS, key, IDEM_KEY_SIZE);
}
