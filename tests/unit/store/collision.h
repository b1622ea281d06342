/* SPDX-License-Identifier: MIT */
/*
 * Two texts of one XXH3, for who knows its secret. XXH3 adds up 64 bytes at a time in eight sums: to its own
 * each word gives the product of its two halves, after the secret was laid over them, and to its neighbour's
 * itself. A word whose lower half is the secret's gives a product of 0, so that what is put into the upper
 * half of one such word can be taken from another one of the same sum.
 *
 *     char one[COLLISION_TEXT], other[COLLISION_TEXT];
 *     collision_make(store->text_secret, one, other);
 */
#ifndef TESTS_STORE_COLLISION_H
#define TESTS_STORE_COLLISION_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Longer than what XXH3 hashes in another way; so many bytes of the secret further on
 * for each 64 of the text. */
enum { COLLISION_TEXT = 512, COLLISION_STRIPE = 64, COLLISION_STEP = 8 };

/* The word at the beginning of a stripe. */
static inline void collision_put(const uint8_t *secret, char *text, size_t stripe, uint32_t value)
{
  memcpy(text + stripe * COLLISION_STRIPE, secret + stripe * COLLISION_STEP, sizeof(value));
  memcpy(text + stripe * COLLISION_STRIPE + sizeof(value), &value, sizeof(value));
}

static inline void collision_make(const uint8_t *secret, char *one, char *other)
{
  memset(one, 'x', COLLISION_TEXT);
  memset(other, 'x', COLLISION_TEXT);
  collision_put(secret, one, 0, 1000);
  collision_put(secret, one, 1, 1000);
  collision_put(secret, other, 0, 1700);
  collision_put(secret, other, 1, 300);
}

#endif
