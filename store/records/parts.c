/* SPDX-License-Identifier: MIT */
#include "store/records/parts.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Parts of a record are side by side, in their order. The first one is number 0, and has no name. */
enum { NAME_SIZE = IDEM_KEY_SIZE + sizeof(uint32_t) };

static void name_of(const uint8_t *key, uint32_t part, uint8_t name[NAME_SIZE])
{
  uint32_t big = htobe32(part);
  memcpy(name, key, IDEM_KEY_SIZE);
  memcpy(name + IDEM_KEY_SIZE, &big, sizeof(big));
}

const struct record_head *parts_find(const struct pages_snapshot *snapshot, const uint8_t *key,
                                     struct idem_span *value)
{
  bool there = pages_get(snapshot, PAGES_ANSWERS, key, IDEM_KEY_SIZE, value) == 0;
  return there ? record_first(*value) : NULL;
}

const struct record_head *parts_find_sound(const struct pages_snapshot *snapshot, const uint8_t *key)
{
  struct idem_span value;
  const struct record_head *head = parts_find(snapshot, key, &value);
  if (!head || record_head(value))
    return head && record_checksum_holds(value) ? head : NULL;
  char *whole = malloc(head->total);
  bool sound = whole && parts_join(snapshot, value, whole) == 0 &&
               record_checksum_holds((struct idem_span){whole, head->total});
  free(whole);
  return sound ? head : NULL;
}

/* What is still wanted of a record. */
struct reading {
  const struct record_head *head;
  uint32_t part; /* the next */
  uint64_t at;
  size_t len;
  char *place;
};

/* From the part that begins at `from`. */
static void take(struct reading *reading, struct idem_span part, uint64_t from)
{
  size_t skip = (size_t)(reading->at - from);
  if (skip >= part.len)
    return;
  size_t len = part.len - skip < reading->len ? part.len - skip : reading->len;
  memcpy(reading->place, part.data + skip, len);
  reading->place += len;
  reading->at += len;
  reading->len -= len;
}

static int read_part(void *arg, struct idem_span name, struct idem_span part)
{
  struct reading *reading = arg;
  const struct record_head *head = reading->head;
  uint64_t from = (uint64_t)reading->part * head->part_size, left = head->total - from;
  uint8_t next[NAME_SIZE];
  name_of(head->key, reading->part++, next);
  if (name.len != NAME_SIZE || memcmp(name.data, next, NAME_SIZE) != 0 ||
      part.len != (left < head->part_size ? left : head->part_size))
    return -EILSEQ;
  take(reading, part, from);
  return !reading->len;
}

int parts_read(const struct pages_snapshot *snapshot, struct idem_span value, uint64_t at, size_t len,
               char *place)
{
  const struct record_head *head = record_first(value);
  struct reading reading = {.head = head, .at = at, .len = len, .place = place};
  uint8_t name[NAME_SIZE];
  if (!head || at > head->total || len > head->total - at)
    return -EILSEQ;
  take(&reading, value, 0);
  if (!reading.len)
    return 0;
  reading.part = (uint32_t)(reading.at / head->part_size);
  name_of(head->key, reading.part, name);
  struct idem_span from = {(const char *)name, sizeof(name)};
  return pages_each(snapshot, PAGES_PARTS, &from, read_part, &reading) == 1 ? 0 : -EILSEQ;
}

/* That it was cut is no part of what its checksum, and its seal, are of. */
int parts_join(const struct pages_snapshot *snapshot, struct idem_span value, char *place)
{
  const struct record_head *head = record_first(value);
  int rc = head ? parts_read(snapshot, value, 0, head->total, place) : -EILSEQ;
  if (rc == 0 && !record_is_old(head))
    record_set_parts(place, 0, 0);
  return rc;
}

int parts_put(struct writer *writer, const uint8_t *key, struct idem_span record)
{
  void *first;
  int rc = writer_reserve(writer, PAGES_ANSWERS, key, IDEM_KEY_SIZE, PARTS_SIZE, &first);
  if (rc == 0)
    record_set_parts(memcpy(first, record.data, PARTS_SIZE), (uint32_t)((record.len - 1) / PARTS_SIZE),
                     PARTS_SIZE);
  uint32_t part = 1;
  for (size_t at = PARTS_SIZE; at < record.len && rc == 0; at += PARTS_SIZE, part++) {
    uint8_t name[NAME_SIZE];
    size_t left = record.len - at;
    name_of(key, part, name);
    rc = writer_put(writer, PAGES_PARTS, name, sizeof(name), record.data + at,
                    left < PARTS_SIZE ? left : PARTS_SIZE);
  }
  return rc;
}

bool parts_is_needed(const struct pages_snapshot *snapshot, struct idem_span name)
{
  struct idem_span value;
  uint32_t big = 0;
  const struct record_head *head =
      name.len == NAME_SIZE ? parts_find(snapshot, (const uint8_t *)name.data, &value) : NULL;
  if (head)
    memcpy(&big, name.data + IDEM_KEY_SIZE, sizeof(big));
  return head && !record_is_old(head) && big && be32toh(big) <= head->parts;
}

struct dropping {
  struct writer *writer;
  const uint8_t *key;
};

static int drop_part(void *arg, struct idem_span name, struct idem_span part)
{
  const struct dropping *dropping = arg;
  (void)part;
  if (name.len < IDEM_KEY_SIZE || memcmp(name.data, dropping->key, IDEM_KEY_SIZE) != 0)
    return 1;
  return writer_delete(dropping->writer, PAGES_PARTS, name.data, name.len);
}

int parts_drop(struct writer *writer, const uint8_t *key)
{
  struct dropping dropping = {writer, key};
  struct idem_span from = {(const char *)key, IDEM_KEY_SIZE};
  int rc = pages_each(&writer->before, PAGES_PARTS, &from, drop_part, &dropping);
  return rc < 0 ? rc : 0;
}
