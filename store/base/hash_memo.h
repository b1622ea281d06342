/* SPDX-License-Identifier: MIT */
/*
 * hash_memo: the digests of what was hashed lately, so that the same texts need not be hashed again. To compare a text costs a
 * hundredth of its SHA-256.
 *
 *     struct hash_list list;
 *     list.len = 0;
 *     hash_list_add(&list, method.data, method.len);  hash_list_add(&list, path.data, path.len);
 *     if (!(digest = hash_memo_find(memo, &list)))
 *       hash_memo_keep(memo, &list, made);
 *
 * What is found is the digest of the very same texts. A client's thread has few lists that it sends again and again, so the last
 * ones are kept, and one that is longer than there is room for is not. Zeroed, a memo knows nothing; it belongs to one thread,
 * allocates nothing and never fails.
 */
#ifndef IDEMSHIM_STORE_HASH_MEMO_H
#define IDEMSHIM_STORE_HASH_MEMO_H

#include "store/store.h"

#include <string.h>

enum { HASH_MEMO_LISTS = 4, HASH_MEMO_BYTES = 2048 };

struct hash_list {
  size_t len; /* SIZE_MAX: it has no room */
  uint8_t bytes[HASH_MEMO_BYTES];
};

struct hash_memo {
  unsigned next; /* which is forgotten next */
  struct {
    uint8_t digest[IDEM_KEY_SIZE];
    struct hash_list of;
  } known[HASH_MEMO_LISTS];
};

/* Each text with its length, so that no two lists look alike. */
static inline void hash_list_add(struct hash_list *list, const void *data, size_t len)
{
  size_t at = list->len;
  if (at > sizeof(list->bytes) || len > UINT16_MAX || sizeof(list->bytes) - at < sizeof(uint16_t) + len) {
    list->len = SIZE_MAX;
    return;
  }
  memcpy(list->bytes + at, &(uint16_t){(uint16_t)len}, sizeof(uint16_t));
  if (len)
    memcpy(list->bytes + at + sizeof(uint16_t), data, len);
  list->len = at + sizeof(uint16_t) + len;
}

/* NULL: it is not known. */
static inline const uint8_t *hash_memo_find(const struct hash_memo *memo, const struct hash_list *list)
{
  for (unsigned i = 0; i < HASH_MEMO_LISTS; i++)
    if (memo->known[i].of.len == list->len && memcmp(memo->known[i].of.bytes, list->bytes, list->len) == 0)
      return memo->known[i].digest;
  return NULL;
}

static inline void hash_memo_keep(struct hash_memo *memo, const struct hash_list *list,
                                  const uint8_t digest[IDEM_KEY_SIZE])
{
  if (list->len > sizeof(list->bytes))
    return;
  unsigned i = memo->next++ % HASH_MEMO_LISTS;
  memcpy(memo->known[i].digest, digest, IDEM_KEY_SIZE);
  memcpy(memo->known[i].of.bytes, list->bytes, list->len);
  memo->known[i].of.len = list->len;
}

#endif
