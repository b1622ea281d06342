/* SPDX-License-Identifier: MIT */
/* Long answers: their records are cut, and come back whole or not at all. */
#include "store/records/parts.h"

#include "store/base/kept.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(store_parts, .init = open_fixture, .fini = close_fixture, .timeout = 60);

static struct idem_error error;

/* {"t":"..."} of that many bytes, no two of which are alike from one part to the next. */
static char *answer_of(size_t len)
{
  char *answer = malloc(len + 1);
  for (size_t i = 0; i < len; i++)
    answer[i] = (char)('A' + (i / 26 + i) % 26);
  memcpy(answer, "{\"t\":\"", 6);
  memcpy(answer + len - 2, "\"}", 3);
  return answer;
}

static struct caller stored(const char *request, size_t len)
{
  struct caller caller = caller_of(&fixture, request);
  char *answer = answer_of(len);
  cr_assert_eq(caller_ask(&caller, answer), IDEM_OWNED);
  free(answer);
  return caller;
}

static void expect_hits(struct caller *caller, size_t len, int hits)
{
  char *answer = answer_of(len);
  for (int i = 0; i < hits; i++) {
    caller->call = (struct idem_call)IDEM_CALL_INIT;
    cr_assert_eq(caller_enter(caller), IDEM_HIT);
    const struct idem_answer *got = &caller->call.answer;
    cr_assert(got->body.len == len && memcmp(got->body.data, answer, len) == 0, "%zu of %zu", got->body.len,
              len);
    cr_assert_eq(memcmp(got->facts.data, "facts", 5), 0);
    caller_leave(caller, true);
  }
  free(answer);
}

static void expect_hit(struct caller *caller, size_t len)
{
  expect_hits(caller, len, 1);
}

static uint64_t parts(void)
{
  struct reader *reader;
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0);
  uint64_t count = reader->snapshot.tree[PAGES_PARTS].entries;
  reader_end(reader);
  return count;
}

/* A record of so many bytes is one value, and one of a byte more is two. */
static size_t body_of_record(size_t len)
{
  struct caller caller = stored("{\"measure\":1}", 1000);
  struct idem_span value;
  struct reader *reader;
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0);
  size_t whole = parts_find(&reader->snapshot, caller.call.key, &value) ? value.len : 0;
  reader_end(reader);
  return len - (whole - 1000);
}

Test(store_parts, a_record_of_any_length_comes_back)
{
  size_t edge = body_of_record(PARTS_SIZE);
  const size_t lens[] = {
      edge - 1, edge,   edge + 1, edge + PARTS_SIZE - 1, edge + PARTS_SIZE, edge + PARTS_SIZE + 1,
      300000,   4000000};
  const unsigned more[] = {0, 0, 1, 1, 1, 2, 18, 244};
  for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
    char request[32];
    uint64_t before = parts();
    snprintf(request, sizeof(request), "{\"measure\":%zu}", i + 2);
    struct caller caller = stored(request, lens[i]);
    cr_expect_eq(parts() - before, more[i], "%zu: %d", lens[i], (int)(parts() - before));
    expect_hit(&caller, lens[i]);
    expect_hit(&caller, lens[i]);
  }
}

/* Again and again, so that it is not copied any more. */
Test(store_parts, the_answer_that_is_hit_is_the_one_that_is_there)
{
  static const size_t lens[] = {30000, 65536, 1000000, 30000, 100000, 100000};
  struct caller other = stored("{\"n\":2}", 65536);
  for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
    struct caller caller = stored("{\"n\":1}", lens[i]);
    expect_hits(&caller, lens[i], KEPT_REPEATS + 5);
    for (int hit = 0; hit < 6; hit++)
      expect_hit(hit % 2 ? &other : &caller, hit % 2 ? 65536 : lens[i]);
    cr_assert_eq(idem_store_remove(fixture.store, caller.call.id, &error), 0, "%s", error.text);
    caller.call = (struct idem_call)IDEM_CALL_INIT;
    cr_expect_eq(caller_enter(&caller), IDEM_OWNED);
    caller_leave(&caller, false);
  }
}

static size_t seen;

static int see(void *arg, const struct idem_answer *answer)
{
  (void)arg;
  char *expected = answer_of(answer->body.len);
  seen += memcmp(answer->body.data, expected, answer->body.len) == 0 ? answer->body.len : 0;
  free(expected);
  return 0;
}

Test(store_parts, commands_see_it_whole_and_remove_it_whole)
{
  struct idem_verify verify;
  struct caller caller = stored("{\"n\":1}", 500000);
  stored("{\"n\":2}", 100);
  cr_expect_eq(idem_store_each(fixture.store, IDEM_OLDEST_FIRST, see, NULL, &error), 0);
  cr_expect_eq(seen, 500100);
  cr_expect_eq(idem_store_show(fixture.store, caller.call.id, see, NULL, &error), 0);
  cr_expect_eq(seen, 1000100);
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect(verify.answers == 2 && verify.bytes > 500100 && verify.damaged + verify.strays == 0);
  cr_assert_eq(idem_store_remove(fixture.store, caller.call.id, &error), 0, "%s", error.text);
  cr_expect_eq(parts(), 0);
}

/* Under the same key, in one transaction: the parts of both have the same names. */
Test(store_parts, another_answer_takes_its_place)
{
  static const size_t lens[] = {500000, 200000, 100, 700000};
  static const unsigned count[] = {30, 12, 0, 42};
  struct caller caller = caller_of(&fixture, "{\"n\":1}");
  for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
    char *answer = answer_of(lens[i]);
    caller.call = (struct idem_call)IDEM_CALL_INIT;
    caller.call.skip_answers = true;
    cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
    cr_assert_eq(caller_commit(&caller, answer), IDEM_STORED, "%s", caller.error.text);
    caller_leave(&caller, true);
    cr_expect_eq(parts(), count[i], "%d", (int)parts());
    expect_hit(&caller, lens[i]);
    free(answer);
  }
}

Test(store_parts, what_has_expired_goes_whole)
{
  struct idem_gc gc;
  fixture_rule(&fixture, "ttl=0");
  stored("{\"n\":1}", 500000);
  cr_assert_gt(parts(), 0);
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &error), 0, "%s", error.text);
  cr_expect(gc.removed == 1 && gc.bytes > 500000);
  cr_expect_eq(parts(), 0);
}

/* Pieces. */

static int read_piece(const struct caller *caller, uint64_t at, uint64_t len, char *place)
{
  struct reader *reader;
  struct idem_span value;
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0);
  cr_assert_not_null(parts_find(&reader->snapshot, caller->call.key, &value));
  int rc = parts_read(&reader->snapshot, value, at, len, place);
  reader_end(reader);
  return rc;
}

static uint64_t total_of(const struct caller *caller)
{
  struct reader *reader;
  struct idem_span value;
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0);
  uint64_t total = parts_find(&reader->snapshot, caller->call.key, &value)->total;
  reader_end(reader);
  return total;
}

/* Of one value, and of many: from anywhere to anywhere, and not a byte beyond the end. */
Test(store_parts, a_piece_of_a_record_lies_within_it)
{
  static const size_t lens[] = {100, 100000};
  for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
    char request[32];
    snprintf(request, sizeof(request), "{\"n\":%zu}", i);
    struct caller caller = stored(request, lens[i]);
    uint64_t total = total_of(&caller);
    char *whole = malloc(total + 1), *piece = malloc(total + 1);
    cr_assert_eq(read_piece(&caller, 0, total, whole), 0);
    for (uint64_t at = 0; at <= total; at += total / 7 + (at + total / 7 > total)) {
      cr_assert_eq(read_piece(&caller, at, total - at, piece), 0, "from %zu", (size_t)at);
      cr_expect_eq(memcmp(piece, whole + at, total - at), 0, "from %zu", (size_t)at);
      memset(piece, 'x', total + 1);
      cr_expect_lt(read_piece(&caller, at, total - at + 1, piece), 0, "from %zu", (size_t)at);
      cr_expect_eq(piece[0], 'x', "from %zu", (size_t)at);
    }
    cr_expect_lt(read_piece(&caller, total + 1, 0, piece), 0);
    cr_expect_lt(read_piece(&caller, total + 1, 1, piece), 0);
    cr_expect_lt(read_piece(&caller, 0, UINT64_MAX, piece), 0);
    cr_expect_lt(read_piece(&caller, UINT64_MAX, 1, piece), 0);
    free(whole);
    free(piece);
  }
}

Test(store_parts, of_what_is_no_record_there_is_no_piece)
{
  static const char zeros[600] = "";
  struct reader *reader;
  char piece[1];
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0);
  for (size_t len = 0; len <= sizeof(zeros); len += 100) {
    cr_expect_lt(parts_read(&reader->snapshot, (struct idem_span){zeros, len}, 0, 1, piece), 0, "%zu", len);
    cr_expect_lt(parts_join(&reader->snapshot, (struct idem_span){zeros, len}, piece), 0, "%zu", len);
  }
  reader_end(reader);
}

/* Damage. */

/* What becomes of the second part. */
struct harm {
  const uint8_t *key;
  int kind;
};

static int do_harm(struct writer *writer, void *arg)
{
  const struct harm *harm = arg;
  uint8_t name[IDEM_KEY_SIZE + 4] = {0}, other[IDEM_KEY_SIZE + 4];
  struct idem_span part, value;
  memcpy(name, harm->key, IDEM_KEY_SIZE);
  name[IDEM_KEY_SIZE + 3] = 2;
  memcpy(other, name, sizeof(other));
  other[IDEM_KEY_SIZE + 3] = 3;
  cr_assert_eq(pages_get(&writer->before, PAGES_PARTS, name, sizeof(name), &part), 0);
  switch (harm->kind) {
  case 0:
    return writer_delete(writer, PAGES_PARTS, name, sizeof(name));
  case 1:
    return writer_put(writer, PAGES_PARTS, name, sizeof(name), part.data, part.len - 1);
  case 2:
    cr_assert_eq(pages_get(&writer->before, PAGES_PARTS, other, sizeof(other), &part), 0);
    return writer_put(writer, PAGES_PARTS, name, sizeof(name), part.data, part.len);
  default:
    cr_assert_eq(pages_get(&writer->before, PAGES_ANSWERS, harm->key, IDEM_KEY_SIZE, &value), 0);
    char *copy = malloc(value.len);
    memcpy(copy, value.data, value.len);
    record_set_parts(copy, ((struct record_head *)(void *)copy)->parts - (harm->kind == 3),
                     harm->kind == 3 ? PARTS_SIZE : 0);
    int rc = writer_put(writer, PAGES_ANSWERS, harm->key, IDEM_KEY_SIZE, copy, value.len);
    free(copy);
    return rc;
  }
}

enum { HARMS = 5 };

/* It is a miss that counts, is paid for again, and then it is there. */
Test(store_parts, one_that_lacks_a_part_is_no_answer)
{
  for (int kind = 0; kind < HARMS; kind++) {
    struct idem_verify verify;
    char request[32];
    snprintf(request, sizeof(request), "{\"n\":%d}", kind);
    struct caller caller = stored(request, 200000);
    struct harm harm = {caller.call.key, kind};
    cr_assert_eq(state_write(fixture.store, do_harm, &harm, &error), 0, "%s", error.text);
    uint64_t before = fixture_counter(&fixture, IDEM_COUNTER_damaged);
    cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
    cr_expect_eq(verify.damaged, 1, "%d: %d", kind, (int)verify.damaged);
    cr_assert_eq(idem_store_show(fixture.store, caller.call.id, see, NULL, &error) < 0, true);
    char *answer = answer_of(150000);
    cr_expect_eq(caller_ask(&caller, answer), IDEM_OWNED, "%d", kind);
    free(answer);
    cr_expect_gt(fixture_counter(&fixture, IDEM_COUNTER_damaged), before, "%d", kind);
    expect_hit(&caller, 150000);
    cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
    cr_expect_eq(verify.damaged, 0, "%d", kind);
    cr_expect_eq(parts(), (uint64_t)(kind + 1) * 9, "%d: %d", kind, (int)parts());
  }
}

static int drop_first(struct writer *writer, void *key)
{
  return writer_delete(writer, PAGES_ANSWERS, key, IDEM_KEY_SIZE);
}

/* As 0.1 does, which takes a record of this version for damage. */
Test(store_parts, parts_without_an_answer_are_told_and_keep_no_room_for_ever)
{
  struct idem_verify verify;
  fixture.options.size = 4 << 20;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  for (int i = 0; i < 5; i++) {
    char request[32];
    snprintf(request, sizeof(request), "{\"n\":%d}", i);
    struct caller caller = stored(request, 700000);
    cr_assert_eq(state_write(fixture.store, drop_first, caller.call.key, &error), 0);
  }
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect_eq(verify.strays, parts() + 10, "and two indexes for each");
  for (int i = 10; i < 40; i++) {
    char request[32];
    snprintf(request, sizeof(request), "{\"n\":%d}", i);
    stored(request, 700000);
  }
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect_eq(verify.damaged, 0);
}

/* Stores of other kinds. */

static void take_the_tree(const char *dir)
{
  MDB_env *env;
  MDB_txn *txn;
  MDB_dbi tree;
  cr_assert(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, PAGES_TREES) == 0 &&
            mdb_env_open(env, dir, 0, 0600) == 0 && mdb_txn_begin(env, NULL, 0, &txn) == 0 &&
            mdb_dbi_open(txn, pages_names[PAGES_PARTS], 0, &tree) == 0 && mdb_drop(txn, tree, 1) == 0 &&
            mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
}

/* As stores are that a version without parts has made. */
Test(store_parts, a_store_without_the_tree_gets_it_when_it_is_opened)
{
  struct caller caller = stored("{\"n\":1}", 100);
  idem_store_close(fixture.store);
  take_the_tree(fixture.options.dir);
  struct engine_options options = {.dir = fixture.options.dir, .size = 64 << 20, .read_only = true};
  struct engine *engine;
  cr_assert_eq(engine_open(&engine, &options, &error), 0, "%s", error.text);
  struct reader *reader;
  cr_assert_eq(reader_begin(engine, &reader, &error), 0, "%s", error.text);
  cr_expect_eq(reader->snapshot.tree[PAGES_ANSWERS].entries, 1);
  cr_expect_eq(reader->snapshot.found, PAGES_TREES - 1);
  reader_end(reader);
  engine_close(engine);
  cr_assert_eq(idem_store_open(&fixture.store, &fixture.options, &error), 0, "%s", error.text);
  expect_hit(&caller, 100);
  caller = stored("{\"n\":2}", 100000);
  expect_hit(&caller, 100000);
}

Test(store_parts, a_sealed_one_is_cut_as_well)
{
  static char key[256], dir[256];
  snprintf(key, sizeof(key), "%s", fixture_path(&fixture, "one.key"));
  snprintf(dir, sizeof(dir), "%s", fixture_path(&fixture, "sealed"));
  FILE *file = fopen(key, "w");
  cr_assert(file && fputs("0123456789abcdef0123456789abcdef", file) >= 0 && fclose(file) == 0);
  idem_store_close(fixture.store);
  fixture.options.dir = dir;
  fixture.options.key_file = key;
  cr_assert_eq(idem_store_open(&fixture.store, &fixture.options, &error), 0, "%s", error.text);
  struct caller caller = stored("{\"n\":1}", 300000);
  cr_expect_gt(parts(), 10);
  expect_hit(&caller, 300000);
  struct idem_verify verify;
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect(verify.answers == 1 && verify.damaged + verify.strays == 0);
  struct harm harm = {caller.call.key, 2};
  cr_assert_eq(state_write(fixture.store, do_harm, &harm, &error), 0, "%s", error.text);
  char *answer = answer_of(1000);
  cr_expect_eq(caller_ask(&caller, answer), IDEM_OWNED);
  free(answer);
}
