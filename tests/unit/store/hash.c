/* SPDX-License-Identifier: MIT */
/* What is taken from an earlier hash changes no digest. */
#include "store/base/hash.h"

#include <criterion/criterion.h>

static struct hash_prefix known;

/* A head of `head_len` bytes that begins with `first`, and a body: by way of what is known, or not. */
static void digest_of(char first, size_t head_len, const char *body, struct hash_prefix *by_way_of,
                      uint8_t out[IDEM_KEY_SIZE])
{
  struct hash hash;
  char head[2 * HASH_GATHERED];

  memset(head, 'h', sizeof(head));
  head[0] = first;
  hash_begin(&hash);
  for (size_t at = 0; at < head_len; at += 100)
    hash_bytes(&hash, head + at, head_len - at < 100 ? head_len - at : 100);
  if (by_way_of)
    hash_settle(&hash, by_way_of);
  hash_text(&hash, body);
  hash_end(&hash, out);
}

static bool same(char first, size_t head_len, const char *body)
{
  uint8_t settled[IDEM_KEY_SIZE], plain[IDEM_KEY_SIZE];

  digest_of(first, head_len, body, &known, settled);
  digest_of(first, head_len, body, NULL, plain);
  return memcmp(settled, plain, sizeof(plain)) == 0;
}

Test(store_hash, a_known_beginning_changes_no_digest)
{
  static const size_t lens[] = {0, 1, 63, 64, 65, 200, 200, 199, 256, 192, 1023, 1024, 1025, 2048, 200};

  for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
    for (char first = 'a'; first <= 'c'; first++) {
      cr_expect(same(first, lens[i], "one body"), "%c and %zu", first, lens[i]);
      cr_expect(same(first, lens[i], "another body"), "%c and %zu again", first, lens[i]);
    }
}

Test(store_hash, what_began_alike_is_known)
{
  uint8_t digest[IDEM_KEY_SIZE], other[IDEM_KEY_SIZE];

  digest_of('a', 200, "body", &known, digest);
  cr_assert_eq(known.len, 192u);
  known.sha.h[0] ^= 1;
  digest_of('a', 200, "body", &known, other);
  cr_expect(memcmp(digest, other, sizeof(digest)) != 0, "it was hashed anew");
  digest_of('b', 200, "body", &known, other);
  digest_of('a', 200, "body", &known, other);
  cr_expect_arr_eq(digest, other, sizeof(digest), "what it was is forgotten");
}
