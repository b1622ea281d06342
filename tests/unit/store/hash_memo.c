/* SPDX-License-Identifier: MIT */
/* Only the very same texts are known, and those of lately. */
#include "store/base/hash_memo.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct hash_memo memo;

static struct hash_list list_of(const char *first, const char *second)
{
  struct hash_list list;

  list.len = 0;
  hash_list_add(&list, first, strlen(first));
  if (second)
    hash_list_add(&list, second, strlen(second));
  return list;
}

static void keep(const struct hash_list *list, uint8_t made)
{
  uint8_t digest[IDEM_KEY_SIZE];

  memset(digest, made, sizeof(digest));
  hash_memo_keep(&memo, list, digest);
}

/* 0: it is not known. */
static int found(const struct hash_list *list)
{
  const uint8_t *digest = hash_memo_find(&memo, list);

  return digest ? *digest : 0;
}

Test(store_hash_memo, the_same_texts_are_known_and_no_others)
{
  const struct hash_list list = list_of("ab", "c");
  const struct hash_list others[] = {list_of("a", "bc"), list_of("abc", ""),  list_of("abc", NULL),
                                     list_of("ab", "d"), list_of("ab", NULL), list_of("ab", "cd"),
                                     list_of("", "abc")};

  cr_expect_eq(found(&list), 0);
  keep(&list, 1);
  cr_expect_eq(found(&list), 1);
  for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
    cr_expect_eq(found(&others[i]), 0, "%zu", i);
}

Test(store_hash_memo, the_last_ones_are_known)
{
  struct hash_list list[HASH_MEMO_LISTS + 1];

  for (uint8_t i = 0; i < HASH_MEMO_LISTS + 1; i++) {
    list[i] = list_of((const char[]){(char)('a' + i), '\0'}, NULL);
    keep(&list[i], (uint8_t)(i + 1));
  }
  cr_expect_eq(found(&list[0]), 0);
  for (int i = 1; i < HASH_MEMO_LISTS + 1; i++)
    cr_expect_eq(found(&list[i]), i + 1);
}

Test(store_hash_memo, what_has_no_room_is_not_known)
{
  static char text[UINT16_MAX + 1];
  static const size_t kept[] = {0, 1, HASH_MEMO_BYTES - 2},
                      not_kept[] = {HASH_MEMO_BYTES - 1, HASH_MEMO_BYTES, UINT16_MAX, UINT16_MAX + 1};

  for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
    struct hash_list list = {.len = 0};
    hash_list_add(&list, text, kept[i]);
    keep(&list, 5);
    cr_expect_eq(found(&list), 5, "%zu", kept[i]);
    /* An end that has none of it left, however short what comes is. */
    hash_list_add(&list, text, HASH_MEMO_BYTES);
    hash_list_add(&list, text, 0);
    keep(&list, 6);
    cr_expect_eq(found(&list), 0);
  }
  for (size_t i = 0; i < sizeof(not_kept) / sizeof(*not_kept); i++) {
    struct hash_list list = {.len = 0};
    hash_list_add(&list, text, not_kept[i]);
    keep(&list, 7);
    cr_expect_eq(found(&list), 0, "%zu", not_kept[i]);
  }
}
