/* SPDX-License-Identifier: MIT */
/* Only the very same texts are known, and those of lately. */
#include "store/base/hash_memo.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>

static struct hash_memo memo;

struct list {
  struct idem_span text[HASH_MEMO_TEXTS + 1];
  size_t count;
};

static struct list list_of(const char *first, const char *second)
{
  return (struct list){{SPAN(first), second ? SPAN(second) : SPAN("")}, second ? 2 : 1};
}

static void keep(const struct list *list, uint8_t made)
{
  uint8_t digest[IDEM_KEY_SIZE];

  memset(digest, made, sizeof(digest));
  hash_memo_keep(&memo, list->text, list->count, digest);
}

/* 0: it is not known. */
static int found(const struct list *list)
{
  const uint8_t *digest = hash_memo_find(&memo, list->text, list->count);

  return digest ? *digest : 0;
}

Test(store_hash_memo, the_same_texts_are_known_and_no_others)
{
  const struct list list = list_of("ab", "c");
  const struct list others[] = {list_of("a", "bc"), list_of("abc", ""),  list_of("abc", NULL),
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
  static const char *const names[HASH_MEMO_LISTS + 1] = {"a", "b", "c", "d", "e"};

  for (uint8_t i = 0; i < HASH_MEMO_LISTS + 1; i++) {
    struct list list = list_of(names[i], NULL);
    keep(&list, (uint8_t)(i + 1));
  }
  for (int i = 0; i < HASH_MEMO_LISTS + 1; i++) {
    struct list list = list_of(names[i], NULL);
    cr_expect_eq(found(&list), i ? i + 1 : 0);
  }
}

/* It takes the place of another one before it is seen to have no room. */
Test(store_hash_memo, half_of_a_list_without_room_is_no_part_of_another)
{
  static char text[HASH_MEMO_BYTES];
  const struct list half = list_of("xy", "c");
  struct list list = list_of("ab", "c");

  for (int i = 0; i < HASH_MEMO_LISTS; i++)
    keep(&list, 1);
  list = (struct list){{SPAN("xy"), {text, sizeof(text)}}, 2};
  keep(&list, 2);
  cr_expect_eq(found(&half), 0);
}

Test(store_hash_memo, what_has_no_room_is_not_known)
{
  static char text[HASH_MEMO_BYTES + UINT16_MAX + 2];
  const struct idem_span most = {text, HASH_MEMO_BYTES};
  struct list list = {.text = {most}, .count = 1};

  keep(&list, 5);
  cr_expect_eq(found(&list), 5);
  /* It is full, but for a text that needs no room. */
  list = (struct list){{most, SPAN("")}, 2};
  keep(&list, 6);
  cr_expect_eq(found(&list), 6);
  list = (struct list){{most, SPAN("x")}, 2};
  keep(&list, 7);
  cr_expect_eq(found(&list), 0);
  for (size_t more = 1; more <= UINT16_MAX + 1; more += UINT16_MAX) {
    list = (struct list){{{text, HASH_MEMO_BYTES + more}}, 1};
    keep(&list, 8);
    cr_expect_eq(found(&list), 0, "%zu", more);
  }
  list = (struct list){.count = HASH_MEMO_TEXTS};
  keep(&list, 9);
  cr_expect_eq(found(&list), 9);
  list.count++;
  keep(&list, 10);
  cr_expect_eq(found(&list), 0);
}
