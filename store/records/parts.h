/* SPDX-License-Identifier: MIT */
/*
 * parts: how a record stands in the store. LMDB wants the pages of a value side by side, and a store that is
 * full of all sizes has no long run of them. So a long record is cut: its first PARTS_SIZE bytes stand under
 * its key in the tree of answers, and each further part under key and number in a tree of their own. All of
 * them are of one transaction.
 *
 *     rc = parts_put(writer, key, record);                          // in a transaction
 *     if ((head = parts_find(&reader->snapshot, key, &value))) {    // whole, or its first part
 *       place = malloc(head->total);
 *       rc = parts_join(&reader->snapshot, value, place);           // as it was before it was cut
 *     }
 *
 * Only here and in record_first() is it known that there are parts: everybody else has a record as a whole,
 * in memory of his own. Functions return 0 or -errno; -EILSEQ: a part is absent, short or not of this record.
 */
#ifndef IDEMSHIM_STORE_PARTS_H
#define IDEMSHIM_STORE_PARTS_H

#include "store/lmdb/engine.h"
#include "store/records/record.h"

/* Four pages with LMDB's head of a run. What is not longer is one value. */
enum { PARTS_SIZE = 4 * 4096 - 16 };

/* The head of what stands under `key`, in the map, and the value that it begins; NULL: nothing, or damage. */
const struct record_head *parts_find(const struct pages_snapshot *snapshot, const uint8_t *key,
                                     struct idem_span *value);
/* The same if all of the record has its checksum. */
const struct record_head *parts_find_sound(const struct pages_snapshot *snapshot, const uint8_t *key);

/* Copies `len` bytes from `at` on of the record that `value` begins; or all of its `total` bytes, which then
 * are a record as record_write() has made it. */
int parts_read(const struct pages_snapshot *snapshot, struct idem_span value, uint64_t at, size_t len,
               char *place);
int parts_join(const struct pages_snapshot *snapshot, struct idem_span value, char *place);

/* A record that is longer than PARTS_SIZE. */
int parts_put(struct writer *writer, const uint8_t *key, struct idem_span record);
/* False for an entry of the tree of parts that no answer needs. */
bool parts_is_needed(const struct pages_snapshot *snapshot, struct idem_span name);

/* All parts of `key` but the first, which is dropped as a whole record is. */
int parts_drop(struct writer *writer, const uint8_t *key);

#endif
