/* SPDX-License-Identifier: MIT */
#include "store/key/text_hash.h"

#include <string.h>

/* What is hashed has just been written, and is compared next. */
#define XXH_NO_PREFETCH
#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(sizeof(XXH128_hash_t) == TEXT_HASH_SIZE, "it is the two halves");

void text_hash_wide(const uint8_t secret[TEXT_HASH_SECRET], const void *data, size_t len,
                    uint8_t hash[TEXT_HASH_SIZE])
{
  const XXH128_hash_t made = XXH3_128bits_withSecret(data, len, secret, TEXT_HASH_SECRET);
  memcpy(hash, &made, sizeof(made));
}
