/* SPDX-License-Identifier: MIT */
/* A store that idemshim 0.1 has made: it opens, says once what that means, and what it has is marked. */
#include "store/lmdb/engine.h"
#include "store/records/claim_record.h"
#include "store/records/record.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

TestSuite(store_old, .init = open_fixture, .fini = close_fixture);

/* Writes a value of the store anew with another number at `offset`. */
static int put_number(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len,
                      size_t offset, uint32_t number)
{
  struct idem_span value;
  int rc = pages_get(&writer->before, tree, key, key_len, &value);
  char *copy = rc == 0 ? malloc(value.len) : NULL;
  if (!copy)
    return rc < 0 ? rc : -1;
  memcpy(copy, value.data, value.len);
  memcpy(copy + offset, &number, sizeof(number));
  rc = writer_put(writer, tree, key, key_len, copy, value.len);
  free(copy);
  return rc;
}

/* An answer as 0.1 has written it: its head ends earlier. */
static int put_old_record(struct writer *writer, const void *key)
{
  const size_t before = offsetof(struct record_head, generation), cut = sizeof(struct record_head) - before;
  struct idem_span value;
  int rc = pages_get(&writer->before, PAGES_ANSWERS, key, IDEM_KEY_SIZE, &value);
  size_t len = value.len - cut;
  char *copy = rc == 0 ? malloc(value.len) : NULL;
  if (!copy)
    return rc < 0 ? rc : -1;
  memcpy(copy, value.data, before);
  memcpy(copy + before, value.data + sizeof(struct record_head), value.len - sizeof(struct record_head));
  struct record_head *head = (void *)copy;
  head->version = 1;
  head->total = len;
  size_t summed = offsetof(struct record_head, checksum) + sizeof(head->checksum);
  head->checksum = XXH3_64bits(copy + summed, len - summed);
  rc = writer_put(writer, PAGES_ANSWERS, key, IDEM_KEY_SIZE, copy, len);
  free(copy);
  return rc;
}

/* And a claim, in the tree that is its. */
static int put_old_claim(struct writer *writer)
{
  static const uint8_t key[IDEM_KEY_SIZE] = {7};
  struct claim_record claim = {.version = 1, .state = CLAIM_IN_FLIGHT};
  return writer_put(writer, PAGES_OLD_OPS, key, sizeof(key), &claim, offsetof(struct claim_record, epoch));
}

static int make_old(struct writer *writer, void *key)
{
  int rc = put_number(writer, PAGES_META, "identity", sizeof("identity"), 0, STORE_SCHEMA_0_1);
  if (rc >= 0)
    rc = put_old_claim(writer);
  return rc < 0 ? rc : put_old_record(writer, key);
}

static int count(void *arg, const struct idem_answer *answer)
{
  int *counts = arg;
  counts[answer->is_old]++;
  return 0;
}

Test(store_old, one_of_0_1_opens_and_says_once_what_becomes_of_its_answers)
{
  struct caller first = caller_of(&fixture, "{\"n\":1}"), second = caller_of(&fixture, "{\"n\":2}");
  struct idem_error error = {""};
  int counts[2] = {0};

  caller_ask(&first, "{\"answer\":1}");
  cr_assert_eq(state_write(fixture.store, make_old, first.call.key, &error), 0, "%s", error.text);
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  cr_expect(strstr(error.text, "1 answer of idemshim 0.1 "), "%s", error.text);
  cr_expect_eq(caller_ask(&second, "{\"answer\":2}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&second, "{\"answer\":3}"), IDEM_HIT);
  cr_expect_eq(idem_store_each(fixture.store, IDEM_OLDEST_FIRST, count, counts, &error), 0);
  cr_expect_eq(counts[true], 1);
  cr_expect_eq(counts[false], 1);
  struct idem_stats stats;
  struct idem_verify verify;
  struct idem_gc gc;
  cr_expect_eq(idem_store_stats(fixture.store, &stats, &error), 0);
  cr_expect_eq(stats.answers, 2);
  cr_expect_eq(stats.old_answers, 1);
  cr_expect_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect_eq(verify.damaged, 0, "what is shorter is whole");
  cr_expect_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &error), 0);
  cr_expect_eq(gc.claims, 1, "long over, and held by nobody");
  error.text[0] = '\0';
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  cr_expect_str_empty(error.text);
}

Test(store_old, a_store_of_this_version_says_nothing)
{
  struct idem_error error = {""};
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  cr_expect_str_empty(error.text);
}
