/* SPDX-License-Identifier: MIT */
/* What the command asks of a store: counters, listing, one answer, removal, comparison; and observe mode. */
#include "store/records/answer_index.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct idem_error error;

TestSuite(store_command, .init = open_fixture, .fini = close_fixture);

static struct caller asked(const char *body, const char *answer)
{
  struct caller caller = caller_of(&fixture, body);
  caller_ask(&caller, answer);
  return caller;
}

Test(store_command, hits_are_counted_with_what_they_save)
{
  const char *answer = "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20}}";
  struct caller caller = asked("{}", answer);
  struct idem_stats stats;
  for (int i = 0; i < 3; i++)
    cr_assert_eq(caller_ask(&caller, ""), IDEM_HIT);
  caller.call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(caller_enter(&caller), IDEM_HIT);
  caller_leave(&caller, false);
  idem_store_count(fixture.store, IDEM_COUNTER_bypass, 5);
  cr_assert_eq(idem_store_stats(fixture.store, &stats, &error), 0);
  cr_expect_eq(stats.counter[IDEM_COUNTER_hits], 3);
  cr_expect_eq(stats.counter[IDEM_COUNTER_stored], 1);
  cr_expect_eq(stats.counter[IDEM_COUNTER_bytes_saved], 3 * strlen(answer));
  cr_expect_eq(stats.counter[IDEM_COUNTER_ms_saved], 30);
  cr_expect_eq(stats.counter[IDEM_COUNTER_input_tokens_saved], 10, "once for each key");
  cr_expect_eq(stats.counter[IDEM_COUNTER_output_tokens_saved], 20);
  cr_expect_eq(stats.counter[IDEM_COUNTER_bypass], 5);
  cr_expect_eq(stats.answers, 1);
  cr_expect_gt(stats.answer_bytes, strlen(answer));
  cr_expect_eq(stats.capacity, 64 << 20);
  cr_expect_gt(stats.since_us, 0);
}

static char listing[256];

static int list(void *arg, const struct idem_answer *answer)
{
  strncat(listing, answer->body.data, answer->body.len);
  return arg && --*(int *)arg == 0 ? 7 : 0;
}

Test(store_command, each_goes_from_the_oldest_to_the_newest)
{
  int most = 2;
  asked("{\"b\":1}", "{\"n\":1}");
  asked("{\"a\":1}", "{\"n\":2}");
  asked("{\"c\":1}", "{\"n\":3}");
  cr_assert_eq(idem_store_each(fixture.store, IDEM_OLDEST_FIRST, list, NULL, &error), 0);
  cr_expect_str_eq(listing, "{\"n\":1}{\"n\":2}{\"n\":3}");
  listing[0] = '\0';
  cr_expect_eq(idem_store_each(fixture.store, IDEM_OLDEST_FIRST, list, &most, &error), 7);
  cr_expect_str_eq(listing, "{\"n\":1}{\"n\":2}");
}

/* More than one part, each way. */
enum { MANY = 300 };

struct seen {
  int count, first, step;
  bool in_order;
};

static int see(void *arg, const struct idem_answer *answer)
{
  struct seen *seen = arg;
  char body[32];
  snprintf(body, sizeof(body), "{\"n\":%d}", seen->first + seen->step * seen->count++);
  seen->in_order &=
      answer->body.len == strlen(body) && memcmp(answer->body.data, body, answer->body.len) == 0;
  return 0;
}

/* Each is stored at once: a leader that has little time stores its own before what others have left. */
static void ask_many(int from, int to)
{
  fixture.store->leave_us = 0;
  for (int i = from; i < to; i++) {
    char body[32];
    snprintf(body, sizeof(body), "{\"n\":%d}", i);
    asked(body, body);
  }
}

Test(store_command, each_sees_every_answer_once_both_ways)
{
  struct seen forth = {0, 0, 1, true}, back = {0, MANY - 1, -1, true};
  ask_many(0, MANY);
  cr_assert_eq(idem_store_each(fixture.store, IDEM_OLDEST_FIRST, see, &forth, &error), 0);
  cr_expect(forth.count == MANY && forth.in_order, "%d", forth.count);
  cr_assert_eq(idem_store_each(fixture.store, IDEM_NEWEST_FIRST, see, &back, &error), 0);
  cr_expect(back.count == MANY && back.in_order, "%d", back.count);
}

/* What is read is the file, and without a descriptor of it the map. */
Test(store_command, each_sees_every_answer_without_a_descriptor)
{
  struct seen forth = {0, 0, 1, true};
  ask_many(0, MANY);
  idem_store_give_back(fixture.store);
  cr_assert_eq(idem_store_each(fixture.store, IDEM_OLDEST_FIRST, see, &forth, &error), 0);
  cr_expect(forth.count == MANY && forth.in_order, "%d", forth.count);
}

/* A thread whose own reader is busy gets a second one. */
static int nothing_is_pinned(void *arg, const struct idem_answer *answer)
{
  struct reader *reader;
  (void)answer;
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0);
  cr_expect_not(reader->lone);
  reader_end(reader);
  ++*(int *)arg;
  return 0;
}

Test(store_command, who_is_shown_answers_holds_no_snapshot)
{
  int count = 0;
  struct caller caller = asked("{}", "{}");
  cr_assert_eq(idem_store_each(fixture.store, IDEM_OLDEST_FIRST, nothing_is_pinned, &count, &error), 0);
  cr_assert_eq(idem_store_show(fixture.store, caller.call.id, nothing_is_pinned, &count, &error), 0);
  cr_expect_eq(count, 2);
}

/* What is removed before the walk comes to it is not seen, and what is stored is seen at the end. */
static int change(void *arg, const struct idem_answer *answer)
{
  struct seen *seen = arg;
  if (seen->count == 0) {
    for (int i = 100; i < 110; i++) {
      char body[32];
      snprintf(body, sizeof(body), "{\"n\":%d}", i);
      struct caller caller = caller_of(&fixture, body);
      cr_assert_eq(idem_store_remove(fixture.store, caller_key(&caller), &error), 0);
    }
    ask_many(MANY, MANY + 5);
  }
  if (seen->count == 100)
    seen->first += 10;
  return see(seen, answer);
}

Test(store_command, each_goes_on_while_the_store_changes)
{
  struct seen seen = {0, 0, 1, true};
  ask_many(0, MANY);
  cr_assert_eq(idem_store_each(fixture.store, IDEM_OLDEST_FIRST, change, &seen, &error), 0);
  cr_expect(seen.count == MANY - 5 && seen.in_order, "%d", seen.count);
}

Test(store_command, an_answer_is_shown_by_the_start_of_its_id)
{
  struct caller caller = asked("{}", "{\"n\":1}");
  char id[IDEM_ID_SIZE];
  cr_assert_eq(idem_store_show(fixture.store, caller.call.id, list, NULL, &error), 0, "%s", error.text);
  cr_expect_str_eq(listing, "{\"n\":1}");
  strcpy(id, caller.call.id);
  for (size_t len = 16; len > 0; len--) {
    id[len] = '\0';
    cr_expect_eq(idem_store_show(fixture.store, id, list, NULL, &error), 0, "%s", id);
  }
  id[0] = id[0] == 'f' ? '0' : 'f';
  cr_expect_eq(idem_store_show(fixture.store, id, list, NULL, &error), -ENOENT);
  cr_expect_eq(idem_store_show(fixture.store, "", list, NULL, &error), -ENOENT);
  cr_expect_eq(idem_store_show(fixture.store, "not an id", list, NULL, &error), -ENOENT);
}

Test(store_command, an_id_of_several_answers_lists_them)
{
  enum { ANSWERS = 40, LISTED_MOST = 4 };
  char ids[ANSWERS][IDEM_ID_SIZE];
  for (int i = 0; i < ANSWERS; i++) {
    char body[32];
    snprintf(body, sizeof(body), "{\"n\":%d}", i);
    struct caller caller = asked(body, "{}");
    memcpy(ids[i], caller.call.id, IDEM_ID_SIZE);
  }
  for (const char *digit = "0123456789abcdef"; *digit; digit++) {
    char id[] = {*digit, '\0'}, text[sizeof(error.text)];
    int of = 0, listed = 0, rc = idem_store_show(fixture.store, id, list, NULL, &error);
    memcpy(text, error.text, sizeof(text));
    for (int i = 0; i < ANSWERS; i++) {
      of += ids[i][0] == *digit;
      listed += ids[i][0] == *digit && rc && strstr(text, ids[i]);
    }
    cr_expect_eq(rc, of == 0 ? -ENOENT : of == 1 ? 0 : -ENOTUNIQ, "%s: %d answers, %d", id, of, rc);
    if (of > 1)
      cr_expect_eq(listed, of < LISTED_MOST ? of : LISTED_MOST, "%s", text);
  }
}

static int put_at_another_age(struct writer *writer, void *key)
{
  uint8_t age[8];
  answer_index_age_key(999, age);
  return writer_put(writer, PAGES_AGE, age, sizeof(age), key, IDEM_KEY_SIZE);
}

static void keep_finding(void *text, const char *what)
{
  snprintf(text, 256, "%s", what);
}

/* By which an answer would be evicted that is not the one of that time. */
Test(store_command, an_index_that_leads_to_a_later_answer_is_found)
{
  struct caller caller = asked("{}", "{}");
  struct idem_verify verify;
  char found[256] = "";
  cr_assert_eq(state_write(fixture.store, put_at_another_age, caller.call.key, &error), 0, "%s", error.text);
  cr_assert_eq(idem_store_verify(fixture.store, &verify, keep_finding, NULL, found, &error), 0);
  cr_expect_eq(verify.strays, 1);
  cr_expect_eq(verify.damaged, 0);
  cr_expect_not_null(strstr(found, "leads to an answer that has another place in it"), "%s", found);
}

Test(store_command, what_is_removed_is_gone)
{
  struct caller caller = asked("{}", "{}");
  struct idem_verify verify;
  cr_assert_eq(idem_store_remove(fixture.store, caller.call.id, &error), 0);
  cr_expect_eq(idem_store_remove(fixture.store, caller.call.id, &error), -ENOENT);
  cr_assert_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error), 0);
  cr_expect_eq(verify.answers + verify.strays + verify.damaged, 0);
  cr_expect_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
}

Test(store_command, a_call_in_flight_is_not_removed)
{
  struct caller caller = caller_of(&fixture, "{}");
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect_eq(idem_store_remove(fixture.store, caller.call.id, &error), -EBUSY);
  caller_leave(&caller, false);
}

/* Compare. */

static char difference[256];

static int alike(const struct caller *a, const struct caller *b)
{
  struct caller x = *a, y = *b;
  x.call = y.call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(caller_enter(&x), IDEM_HIT);
  cr_assert_eq(caller_enter(&y), IDEM_HIT);
  int score = idem_store_compare(&x.call.answer, &y.call.answer, difference, sizeof(difference));
  cr_expect_eq(idem_store_compare(&x.call.answer, &y.call.answer, NULL, 0), score);
  caller_leave(&x, false);
  caller_leave(&y, false);
  return score;
}

Test(store_command, compare_names_the_first_difference)
{
  struct caller base = asked("{\"messages\":[{\"content\":\"today is 2026-11-21, a day\"}],\"t\":1}", "{}");
  struct caller other = asked("{\"messages\":[{\"content\":\"today is 2026-11-22, a day\"}],\"t\":1}", "{}");
  int score = alike(&base, &other);
  cr_expect_str_eq(difference,
                   "JSON /messages/0/content at offset 18 (\"2026-11-21, a day\" / \"2026-11-22, a day\")");
  cr_expect(score > 900 && score < 1000, "%d", score);
  cr_expect_eq(alike(&base, &base), 1000);
  cr_expect_str_eq(difference, "");
  /* What is no object and no list counts byte by byte. */
  base = asked("1.50", "{}");
  other = asked("15e-1", "{}");
  cr_expect_lt(alike(&base, &other), 1000);
  cr_expect_str_eq(difference, "body at offset 1 (\"1.50\" / \"15e-1\")");
}

Test(store_command, compare_knows_every_part)
{
  struct caller base = asked("{\"t\":1}", "{}"), other;
  static const struct {
    const char *body, *says;
  } bodies[] = {
      {"{\"t\":2}", "JSON /t (1 / 2)"},
      {"{\"t\":1,\"stop\":[]}", "JSON /stop is only in the second"},
      {"{}", "JSON /t is only in the first"},
      {"{\"t\":[1]}", "JSON /t (1 / [1])"},
      {"t=1", "body at offset 0 (\"{\"t\":1}\" / \"t=1\")"},
  };
  for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
    other = asked(bodies[i].body, "{}");
    cr_expect_lt(alike(&base, &other), 1000);
    cr_expect_str_eq(difference, bodies[i].says);
  }
  other = caller_of(&fixture, "{\"t\":1}");
  caller_header(&other, "OpenAI-Organization: o");
  caller_ask(&other, "{}");
  alike(&base, &other);
  cr_expect_str_eq(difference, "header OpenAI-Organization");
  other = caller_of(&fixture, "{\"t\":1}");
  caller_bare(&other);
  caller_header(&other, "Content-Type: application/json");
  caller_ask(&other, "{}");
  alike(&base, &other);
  cr_expect_str_eq(difference, "tenant");
  other = caller_of(&fixture, "{\"t\":1}");
  other.request.path = SPAN("/v1/other");
  caller_ask(&other, "{}");
  alike(&base, &other);
  cr_expect_str_eq(difference, "path (\"/v1/chat\" / \"/v1/other\")");
}

/* Observe. */

static int observe(struct caller *caller, const struct idem_recording *recording)
{
  caller->request.headers = caller->headers;
  caller->request.rule = fixture.config.rules;
  return idem_store_observe(fixture.store, &caller->request, &caller->call, recording, &caller->error);
}

Test(store_command, observe_says_what_would_have_been_replayed)
{
  struct caller caller = caller_of(&fixture, "{\"secret prompt\":1}"),
                same = caller_of(&fixture, "{ \"secret prompt\" : 1 }");
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, JSON_HEADERS, "{}"), failed = recording;
  failed.status = 500;
  cr_expect_eq(observe(&caller, NULL), 0);
  cr_expect_eq(observe(&caller, &failed), 0);
  cr_expect_eq(observe(&caller, NULL), 0);
  cr_expect_eq(observe(&caller, &recording), 0);
  cr_expect_eq(observe(&same, NULL), 1);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_would_hit), 1);
  uint64_t once_ms = fixture_counter(&fixture, IDEM_COUNTER_ms_would_save);
  cr_expect_eq(observe(&same, &recording), 0);
  cr_expect_eq(observe(&same, NULL), 1);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_would_hit), 2);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_ms_would_save), 2 * once_ms);
  cr_expect_eq(caller_ask(&caller, "{}"), IDEM_OWNED, "no answer is kept");
}

Test(store_command, models_without_a_place_of_their_own_share_the_last)
{
  struct stats *page = aligned_alloc(4096, (sizeof(*page) + 4095) / 4096 * 4096);
  const struct idem_usage usage = {3, -1};
  char name[100];
  cr_assert(page);
  memset(page, 0, sizeof(*page));
  /* The longest is cut, and is the same again. */
  memset(name, 'x', sizeof(name));
  for (int twice = 0; twice < 2; twice++)
    stats_would_save(page, (struct idem_span){name, sizeof(name)}, &usage);
  for (int i = 0; i < 2 * STATS_MODELS; i++)
    stats_would_save(page, (struct idem_span){name, (size_t)snprintf(name, sizeof(name), "m%d", i)}, &usage);
  cr_expect_eq(page->model[0].input, 6);
  cr_expect_eq(page->model[1].input, 3);
  cr_expect_str_eq(page->model[1].name, "m0");
  cr_expect_eq(page->model[STATS_MODELS - 1].place, STATS_FREE);
  cr_expect_eq(page->model[STATS_MODELS - 1].input, 3 * (STATS_MODELS + 2));
  cr_expect_eq(page->model[0].output, 0);
  free(page);
}

Test(store_command, observe_does_not_count_what_would_have_expired)
{
  struct caller caller = caller_of(&fixture, "{}");
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, JSON_HEADERS, "{}");
  struct idem_gc gc;
  fixture_rule(&fixture, "ttl=0");
  cr_expect_eq(observe(&caller, &recording), 0);
  cr_expect_eq(observe(&caller, NULL), 0);
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &error), 0);
  cr_expect_eq(gc.removed, 1);
}
