/* SPDX-License-Identifier: MIT */
/* Whatever is done with a store, again and again: no memory and no descriptor of it stays. */
#include "store/state/state.h"
#include "tests/unit/in_use.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(store_leaves_nothing, .init = open_fixture, .fini = close_fixture, .timeout = 120);

static struct idem_error error;

/* What the first rounds have freed is kept for the next ones, up to a few pieces of each size, and tables
 * grow to what they have to hold. Less than a byte for each round is none that a round leaves. */
static void leaves_nothing(void (*round)(int i))
{
  enum { WARM = 60, ROUNDS = 40 };
  for (int i = 0; i < WARM; i++)
    round(i);
  size_t heap = heap_in_use();
  int open = open_count();
  for (int i = 0; i < ROUNDS; i++)
    round(WARM + i);
  cr_expect_eq(open_count(), open, "%d descriptors more", open_count() - open);
  cr_expect_leq(heap_in_use(), heap + ROUNDS, "%zd bytes more", (ssize_t)(heap_in_use() - heap));
}

static void close_and_open(int i)
{
  (void)i;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
}

Test(store_leaves_nothing, opening)
{
  leaves_nothing(close_and_open);
}

static void fail_to_open(int i)
{
  struct idem_store *store;
  (void)i;
  cr_assert_lt(idem_store_open(&store, &fixture.options, &error), 0);
}

Test(store_leaves_nothing, failing_to_open)
{
  static char key[256], dir[256];
  fixture.options.key_file = strcpy(key, fixture_path(&fixture, "nowhere"));
  fixture.options.dir = strcpy(dir, fixture_path(&fixture, "another"));
  leaves_nothing(fail_to_open);
  fixture.options.key_file = NULL;
  fixture.options.dir = strcpy(dir, fixture_path(&fixture, "no_store"));
  fixture.options.must_exist = true;
  leaves_nothing(fail_to_open);
  fixture.options.dir = "/dev/null/store";
  fixture.options.must_exist = false;
  leaves_nothing(fail_to_open);
}

static void ask(const char *body, const char *answer, int verdict)
{
  struct caller caller = caller_of(&fixture, body);
  cr_assert_eq(caller_ask(&caller, answer), verdict, "%s", body);
}

static void hit(int i)
{
  (void)i;
  ask("{\"known\":1}", "{}", IDEM_HIT);
}

Test(store_leaves_nothing, hits)
{
  ask("{\"known\":1}", "{\"answer\":1}", IDEM_OWNED);
  leaves_nothing(hit);
}

/* Another answer each time, so that nothing that is counted by calls grows. */
static void replace(int i)
{
  char answer[64];
  struct caller caller = caller_of(&fixture, "{\"known\":1}");
  caller.call.skip_answers = true;
  snprintf(answer, sizeof(answer), "{\"answer\":%d}", i);
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_assert_eq(caller_commit(&caller, answer), IDEM_STORED, "%s", caller.error.text);
  caller_leave(&caller, true);
}

Test(store_leaves_nothing, commits)
{
  fixture.store->leave_us = 0;
  leaves_nothing(replace);
}

static void give_up(int i)
{
  (void)i;
  struct caller caller = caller_of(&fixture, "{\"given_up\":1}");
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  caller_leave(&caller, false);
}

Test(store_leaves_nothing, calls_that_come_to_nothing)
{
  leaves_nothing(give_up);
}

static void be_refused(int i)
{
  (void)i;
  struct caller caller = caller_of(&fixture, "{\"refused\":1}");
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_assert_eq(caller_commit(&caller, "{\"error\":{\"message\":\"x\"}}"), IDEM_REFUSED);
  caller_leave(&caller, true);
}

Test(store_leaves_nothing, answers_that_are_none)
{
  leaves_nothing(be_refused);
}

static void wait_for_other(int i)
{
  (void)i;
  struct caller owner = caller_of(&fixture, "{\"two\":1}"), other = caller_of(&fixture, "{\"two\":1}");
  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  cr_assert_eq(caller_enter(&other), IDEM_BUSY);
  caller_leave(&other, false);
  caller_leave(&owner, false);
}

Test(store_leaves_nothing, who_finds_it_busy)
{
  leaves_nothing(wait_for_other);
}

/* Commands. */

static void fill(void)
{
  static char long_answer[100000];
  memset(long_answer, 'x', sizeof(long_answer) - 1);
  memcpy(long_answer, "{\"t\":\"", 6);
  memcpy(long_answer + sizeof(long_answer) - 3, "\"}", 2);
  for (int i = 0; i < 5; i++) {
    char body[32];
    snprintf(body, sizeof(body), "{\"n\":%d}", i);
    ask(body, i % 2 ? "{\"answer\":1}" : long_answer, IDEM_OWNED);
  }
}

static int look(void *arg, const struct idem_answer *answer)
{
  (*(int *)arg)++;
  return answer->body.len ? 0 : -1;
}

static void visit(int i)
{
  int seen = 0;
  (void)i;
  cr_assert_eq(idem_store_each(fixture.store, IDEM_NEWEST_FIRST, look, &seen, &error), 0, "%s", error.text);
  cr_assert_eq(idem_store_each(fixture.store, IDEM_OLDEST_FIRST, look, &seen, &error), 0, "%s", error.text);
  cr_assert_eq(seen, 10);
}

Test(store_leaves_nothing, visiting_each_answer)
{
  fill();
  leaves_nothing(visit);
}

static void verify(int i)
{
  struct idem_verify out;
  (void)i;
  cr_assert_eq(idem_store_verify(fixture.store, &out, NULL, NULL, NULL, &error), 0, "%s", error.text);
  cr_assert_eq(out.answers, 5);
}

Test(store_leaves_nothing, verifying)
{
  fill();
  leaves_nothing(verify);
}

static void clear_out(int i)
{
  struct idem_gc gc;
  (void)i;
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &error), 0, "%s", error.text);
}

Test(store_leaves_nothing, clearing_out)
{
  fill();
  leaves_nothing(clear_out);
}

static void count(int i)
{
  struct idem_stats stats;
  (void)i;
  cr_assert_eq(idem_store_stats(fixture.store, &stats, &error), 0, "%s", error.text);
}

Test(store_leaves_nothing, counting)
{
  fill();
  leaves_nothing(count);
}

static void remove_one(int i)
{
  (void)i;
  struct caller caller = caller_of(&fixture, "{\"removed\":1}");
  cr_assert_eq(caller_ask(&caller, "{\"answer\":1}"), IDEM_OWNED);
  cr_assert_eq(idem_store_remove(fixture.store, caller.call.id, &error), 0, "%s", error.text);
}

Test(store_leaves_nothing, removing)
{
  fixture.store->leave_us = 0;
  leaves_nothing(remove_one);
}

/* Of a store whose answers are encrypted, each of which is opened into memory of its own. */
static void open_sealed(void)
{
  static char key[256], dir[256];
  open_fixture();
  strcpy(key, fixture_path(&fixture, "key"));
  strcpy(dir, fixture_path(&fixture, "sealed"));
  FILE *file = fopen(key, "w");
  cr_assert(file && fputs("0123456789abcdef0123456789abcdef", file) >= 0 && fclose(file) == 0);
  fixture.options.key_file = key;
  fixture.options.dir = dir;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  fixture.store->leave_us = 0;
}

TestSuite(store_leaves_nothing_sealed, .init = open_sealed, .fini = close_fixture, .timeout = 120);

Test(store_leaves_nothing_sealed, opening)
{
  leaves_nothing(close_and_open);
}

Test(store_leaves_nothing_sealed, hits)
{
  ask("{\"known\":1}", "{\"answer\":1}", IDEM_OWNED);
  leaves_nothing(hit);
}

Test(store_leaves_nothing_sealed, commits)
{
  leaves_nothing(replace);
}

Test(store_leaves_nothing_sealed, visiting_each_answer)
{
  fill();
  leaves_nothing(visit);
}

Test(store_leaves_nothing_sealed, verifying)
{
  fill();
  leaves_nothing(verify);
}
