/* SPDX-License-Identifier: MIT */
/* A store that idemshim 0.1 has made: it opens, says once what that means, and what it has is marked. */
#include "store/lmdb/engine.h"
#include "store/records/record.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

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

static int make_old(struct writer *writer, void *key)
{
  int rc = put_number(writer, PAGES_META, "identity", sizeof("identity"), 0, STORE_SCHEMA_0_1);
  return rc < 0 ? rc
                : put_number(writer, PAGES_ANSWERS, key, IDEM_KEY_SIZE, offsetof(struct record_head, version),
                             1);
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
  cr_expect(strstr(error.text, "1 answers of idemshim 0.1 "), "%s", error.text);
  cr_expect_eq(caller_ask(&second, "{\"answer\":2}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&second, "{\"answer\":3}"), IDEM_HIT);
  cr_expect_eq(idem_store_each(fixture.store, count, counts, &error), 0);
  cr_expect_eq(counts[true], 1);
  cr_expect_eq(counts[false], 1);
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
