/* SPDX-License-Identifier: MIT */
/*
 * hash_memo: the digests of what was hashed lately, so that the same texts need not be hashed again. To
 * compare a text costs a hundredth of its SHA-256.
 *
 *     const struct idem_span texts[] = {method, path};
 *     if (!(digest = hash_memo_find(memo, texts, 2)))
 *       hash_memo_keep(memo, texts, 2, made);
 *
 * What is found is the digest of the very same texts. A client's thread has few lists that it sends again and
 * again, so the last ones are kept; one that is longer than there is room for is not. A list has one text at
 * least. Zeroed, a memo knows nothing. It belongs to one thread, allocates nothing and never fails.
 */
#ifndef IDEMSHIM_STORE_HASH_MEMO_H
#define IDEMSHIM_STORE_HASH_MEMO_H

#include "store/store.h"

#include <string.h>

enum { HASH_MEMO_LISTS = 4, HASH_MEMO_TEXTS = 48, HASH_MEMO_BYTES = 2048 };

struct hash_memo {
  unsigned next; /* which is forgotten next */
  struct {
    size_t count; /* of texts; 0: nothing is known */
    uint16_t len[HASH_MEMO_TEXTS];
    uint8_t bytes[HASH_MEMO_BYTES]; /* one behind the other */
    uint8_t digest[IDEM_KEY_SIZE];
  } known[HASH_MEMO_LISTS];
};

/* Of requests: as they were sent, and what of that counts, where a header that does not is
 * another one with each call. */
struct hash_contexts {
  struct hash_memo sent, counted;
};

static inline bool hash_memo_has(const struct hash_memo *memo, unsigned i, const struct idem_span *texts,
                                 size_t count)
{
  const uint8_t *at = memo->known[i].bytes;
  if (memo->known[i].count != count)
    return false;
  for (size_t k = 0; k < count; at += texts[k++].len)
    if (texts[k].len != memo->known[i].len[k] ||
        (texts[k].len && memcmp(at, texts[k].data, texts[k].len) != 0))
      return false;
  return true;
}

/* NULL: it is not known. */
static inline const uint8_t *hash_memo_find(const struct hash_memo *memo, const struct idem_span *texts,
                                            size_t count)
{
  for (unsigned i = 0; i < HASH_MEMO_LISTS; i++)
    if (hash_memo_has(memo, i, texts, count))
      return memo->known[i].digest;
  return NULL;
}

static inline void hash_memo_keep(struct hash_memo *memo, const struct idem_span *texts, size_t count,
                                  const uint8_t digest[IDEM_KEY_SIZE])
{
  unsigned i = memo->next % HASH_MEMO_LISTS;
  size_t used = 0;
  memo->known[i].count = 0;
  if (count > HASH_MEMO_TEXTS)
    return;
  for (size_t k = 0; k < count; used += texts[k++].len) {
    if (texts[k].len > sizeof(memo->known[i].bytes) - used)
      return;
    memo->known[i].len[k] = (uint16_t)texts[k].len;
    if (texts[k].len)
      memcpy(memo->known[i].bytes + used, texts[k].data, texts[k].len);
  }
  memcpy(memo->known[i].digest, digest, IDEM_KEY_SIZE);
  memo->known[i].count = count;
  memo->next++;
}

#endif
