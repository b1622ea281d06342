/* SPDX-License-Identifier: MIT */
/* Two requests of one raw name, which nobody should have to be relied upon not to make. */
#include "store/key/key.h"
#include "store/lmdb/engine.h"
#include "store/records/record.h"
#include "store/state/state.h"
#include "tests/unit/store/collision.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(store_collisions, .init = open_fixture, .fini = close_fixture);

enum { TEXT = COLLISION_TEXT };

static char one[TEXT], other[TEXT];

static void make_texts(void)
{
  collision_make(fixture.store->text_secret, one, other);
}

static struct caller caller_with(const char *body)
{
  struct caller caller = caller_of(&fixture, "");
  caller.request.body = (struct idem_span){body, TEXT};
  return caller;
}

static bool same_raw(struct caller *a, struct caller *b)
{
  uint8_t raw[IDEM_KEY_SIZE];
  caller_key(a);
  memcpy(raw, a->call.priv.raw, sizeof(raw));
  caller_key(b);
  return memcmp(raw, b->call.priv.raw, sizeof(raw)) == 0;
}

/* Whose answer is found by the name is one thing, and whose it is another. */
static void expect_two_answers(struct caller *a, struct caller *b)
{
  cr_assert(same_raw(a, b), "they do not have one name");
  cr_assert_eq(caller_ask(a, "{\"answer\":1}"), IDEM_OWNED);
  cr_assert_eq(caller_ask(b, "{\"answer\":2}"), IDEM_OWNED,
               "the second has been given the answer of the first");
  for (int i = 0; i < 2; i++) {
    cr_expect_eq(caller_ask(a, "{\"answer\":3}"), IDEM_HIT);
    cr_expect_str_eq(a->body, "{\"answer\":1}");
    cr_expect_eq(caller_ask(b, "{\"answer\":3}"), IDEM_HIT);
    cr_expect_str_eq(b->body, "{\"answer\":2}");
  }
}

Test(store_collisions, two_bodies_of_one_name_have_an_answer_each)
{
  make_texts();
  struct caller a = caller_with(one), b = caller_with(other);
  expect_two_answers(&a, &b);
}

Test(store_collisions, two_paths_of_one_name_have_an_answer_each)
{
  make_texts();
  struct caller a = caller_of(&fixture, "{}"), b = a;
  a.request.path = (struct idem_span){one, TEXT};
  b.request.path = (struct idem_span){other, TEXT};
  expect_two_answers(&a, &b);
}

/* The number of a sample is taken of the content that the name leads to, and is given back. */
Test(store_collisions, samples_of_two_bodies_of_one_name_are_numbered_apart)
{
  make_texts();
  fixture_rule(&fixture, "repeats=sequence");
  struct caller a = caller_with(one), b = caller_with(other);
  cr_assert(same_raw(&a, &b));
  for (uint32_t i = 0; i < 3; i++) {
    cr_expect_eq(caller_ask(&a, "{\"answer\":1}"), IDEM_OWNED);
    cr_expect_eq(a.call.sequence, i);
    cr_expect_eq(caller_ask(&b, "{\"answer\":2}"), IDEM_OWNED);
    cr_expect_eq(b.call.sequence, i);
  }
}

Test(store_collisions, under_one_key_they_are_a_mismatch)
{
  make_texts();
  fixture_rule(&fixture, "key=header mismatch=reject");
  struct caller a = caller_with(one), b = caller_with(other);
  caller_header(&a, "Idempotency-Key: 1");
  caller_header(&b, "Idempotency-Key: 1");
  cr_assert(same_raw(&a, &b));
  cr_assert_eq(caller_ask(&a, "{\"answer\":1}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&b, "{\"answer\":2}"), IDEM_MISMATCH);
  cr_expect_eq(caller_ask(&a, "{\"answer\":2}"), IDEM_HIT);
}

/* What the record does not have as it was sent is not compared, and so it is not named by XXH3 either. */
Test(store_collisions, what_is_not_compared_has_another_name)
{
  make_texts();
  fixture_rule(&fixture, "redact=/secret");
  struct caller a = caller_with(one), b = caller_with(other);
  cr_expect(!same_raw(&a, &b), "a body that is kept without what redact= names");
  cr_assert_eq(caller_ask(&a, "{\"answer\":1}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&b, "{\"answer\":2}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&a, "{\"answer\":3}"), IDEM_HIT);

  static char long_one[RECORD_BODY_KEPT + 1], long_other[RECORD_BODY_KEPT + 1];
  fixture_rule(&fixture, "");
  memcpy(long_one, one, sizeof(one));
  memcpy(long_other, other, sizeof(other));
  a.request.body = (struct idem_span){long_one, sizeof(long_one)};
  b.request.body = (struct idem_span){long_other, sizeof(long_other)};
  cr_expect(!same_raw(&a, &b), "a body that is cut");
  a.request.body.len = b.request.body.len = RECORD_BODY_KEPT;
  cr_expect(same_raw(&a, &b), "the longest that is not");
}

Test(store_collisions, sealed_bodies_have_another_name)
{
  struct idem_error error = {""};
  char dir[sizeof(fixture.dir) + 16];
  struct idem_store *plain = fixture.store;
  snprintf(dir, sizeof(dir), "%s", fixture_path(&fixture, "sealed"));
  FILE *key = fopen(fixture_path(&fixture, "key"), "w");
  cr_assert(key && fputs("0123456789abcdef0123456789abcdef", key) >= 0 && fclose(key) == 0);
  char key_path[sizeof(fixture.dir) + 16];
  snprintf(key_path, sizeof(key_path), "%s", fixture_path(&fixture, "key"));
  struct idem_store_options options = {.dir = dir, .size = 64 << 20, .key_file = key_path};
  cr_assert_eq(idem_store_open(&fixture.store, &options, &error), 0, "%s", error.text);
  make_texts();
  struct caller a = caller_with(one), b = caller_with(other);
  cr_expect(!same_raw(&a, &b));
  cr_assert_eq(caller_ask(&a, "{\"answer\":1}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&b, "{\"answer\":2}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&a, "{\"answer\":3}"), IDEM_HIT);
  idem_store_close(fixture.store);
  fixture.store = plain;
}

static int drop_raw(struct writer *writer, void *raw)
{
  static const uint8_t another[IDEM_KEY_SIZE] = {7};
  struct idem_span value;
  int rc = pages_get(&writer->before, PAGES_RAW, raw, IDEM_KEY_SIZE, &value);
  if (rc == 0)
    rc = writer_put(writer, PAGES_RAW, another, sizeof(another), value.data, value.len);
  return rc < 0 ? rc : writer_delete(writer, PAGES_RAW, raw, IDEM_KEY_SIZE);
}

/* Versions may give a request another raw name. Its answer has the name of what it says. */
Test(store_collisions, an_answer_under_a_raw_name_of_another_make_is_found)
{
  struct idem_error error = {""};
  struct caller caller = caller_of(&fixture, "{\"prompt\":1}");
  cr_assert_eq(caller_ask(&caller, "{\"answer\":1}"), IDEM_OWNED);
  cr_assert_eq(state_write(fixture.store, drop_raw, caller.call.priv.raw, &error), 0, "%s", error.text);
  cr_expect_eq(caller_ask(&caller, "{\"answer\":2}"), IDEM_HIT);
  cr_expect_str_eq(caller.body, "{\"answer\":1}");
}
