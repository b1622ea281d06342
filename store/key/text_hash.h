/* SPDX-License-Identifier: MIT */
/*
 * text_hash: the keyed XXH3 of a long text with registers of 256 bits. xxhash.h settles its registers when it
 * is compiled, and a package is compiled for processors that have none of these: so text_hash.c is a second
 * copy of it, built for them alone (Makefile).
 *
 *     if (text_hash_suits(len))
 *       text_hash_wide(secret, data, len, hash);   // the very bytes of XXH3_128bits_withSecret()
 */
#ifndef IDEMSHIM_STORE_TEXT_HASH_H
#define IDEMSHIM_STORE_TEXT_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TEXT_HASH_LONG: below it XXH3 uses no wide registers at all. */
enum { TEXT_HASH_SECRET = 192, TEXT_HASH_SIZE = 16, TEXT_HASH_LONG = 256 };

/* True if the text is long enough, and this processor has AVX2. */
static inline bool text_hash_suits(size_t len)
{
#ifdef __x86_64__
  return len >= TEXT_HASH_LONG && __builtin_cpu_supports("avx2");
#else
  (void)len;
  return false;
#endif
}

void text_hash_wide(const uint8_t secret[TEXT_HASH_SECRET], const void *data, size_t len,
                    uint8_t hash[TEXT_HASH_SIZE]);

#endif
