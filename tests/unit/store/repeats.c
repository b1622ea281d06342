/* SPDX-License-Identifier: MIT */
/* What an identical call means: repeats=auto, sequence and fresh. */
#include "store/state/repeats.h"
#include "tests/unit/in_use.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void open_sequence(void)
{
  fixture_open(&fixture, "repeats=sequence");
}

static void open_fresh(void)
{
  fixture_open(&fixture, "repeats=fresh");
}

TestSuite(store_sequence, .init = open_sequence, .fini = close_fixture);
TestSuite(store_fresh, .init = open_fresh, .fini = close_fixture);

/* The store's process-wide counts start again with a new process: this is one, with `calls` identical calls.
 * Returns how many were sent. */
static int run_of(int calls, int delivered_until)
{
  int pipes[2], sent = 0;
  cr_assert_eq(pipe(pipes), 0);
  if (fork() == 0) {
    struct idem_error error;
    fixture_reopen(&fixture, &error);
    for (int i = 0; i < calls; i++) {
      char answer[32];
      struct caller caller = caller_of(&fixture, "{}");
      snprintf(answer, sizeof(answer), "{\"n\":%d}", i);
      if (caller_enter(&caller) == IDEM_OWNED) {
        sent++;
        if (i >= delivered_until)
          _exit(write(pipes[1], &sent, sizeof(sent)) != sizeof(sent));
        caller_commit(&caller, answer);
      } else if (caller.call.answer.body.len != strlen(answer) ||
                 memcmp(caller.call.answer.body.data, answer, strlen(answer)) != 0) {
        sent = -1000;
      }
      caller_leave(&caller, true);
    }
    _exit(write(pipes[1], &sent, sizeof(sent)) != sizeof(sent));
  }
  int status;
  wait(&status);
  cr_assert_eq(status, 0);
  cr_assert_eq(read(pipes[0], &sent, sizeof(sent)), sizeof(sent));
  close(pipes[0]), close(pipes[1]);
  return sent;
}

Test(store_sequence, each_identical_call_is_an_operation_of_its_own)
{
  struct caller caller = caller_of(&fixture, "{}");
  char first[IDEM_ID_SIZE];

  cr_assert_eq(caller_ask(&caller, "{\"n\":0}"), IDEM_OWNED);
  cr_expect_eq(caller.call.sequence, 0);
  memcpy(first, caller.call.id, sizeof(first));
  cr_assert_eq(caller_ask(&caller, "{\"n\":1}"), IDEM_OWNED);
  cr_expect_eq(caller.call.sequence, 1);
  cr_expect_str_neq(caller.call.id, first);
}

Test(store_sequence, a_run_that_was_killed_is_finished_without_a_call_too_many)
{
  cr_expect_eq(run_of(10, 6), 7, "six answers, and one call in flight");
  cr_expect_eq(run_of(10, 10), 4);
  cr_expect_eq(run_of(10, 10), 0);
  cr_expect_eq(run_of(12, 12), 2);
}

Test(store_sequence, a_number_whose_answer_did_not_arrive_is_used_again)
{
  struct caller a = caller_of(&fixture, "{}"), b = a, c = a;

  cr_assert_eq(caller_enter(&a), IDEM_OWNED);
  cr_assert_eq(caller_enter(&b), IDEM_OWNED);
  cr_assert_eq(caller_enter(&c), IDEM_OWNED);
  cr_expect_eq(a.call.sequence + b.call.sequence * 10 + c.call.sequence * 100, 210);
  char upstream_key[37];
  memcpy(upstream_key, a.call.upstream_key, sizeof(upstream_key));
  caller_leave(&b, false);
  caller_leave(&a, false);
  struct caller again = caller_of(&fixture, "{}");
  cr_assert_eq(caller_enter(&again), IDEM_OWNED);
  cr_expect_eq(again.call.sequence, 0);
  cr_expect_str_eq(again.call.upstream_key, upstream_key);
  caller_leave(&again, true);
  caller_leave(&c, true);
  struct caller next = caller_of(&fixture, "{}");
  caller_enter(&next);
  cr_expect_eq(next.call.sequence, 1);
  caller_leave(&next, true);
  next.call = (struct idem_call)IDEM_CALL_INIT;
  caller_enter(&next);
  cr_expect_eq(next.call.sequence, 3);
  caller_leave(&next, true);
}

/* The bytes of a request lead to its key, and from there to what was asked under a number of it: that may be
 * another content, if only by a header. */
Test(store_sequence, a_number_of_one_key_that_had_another_content_is_a_mismatch)
{
  struct idem_error error = {""};
  fixture_rule(&fixture, "key=header repeats=sequence mismatch=reject");
  struct caller one = caller_of(&fixture, "{}");
  caller_header(&one, "Idempotency-Key: 1");
  struct caller other = one;
  caller_header(&other, "Accept: text/plain");

  cr_assert_eq(caller_ask(&one, "{\"n\":0}"), IDEM_OWNED);
  cr_assert_eq(caller_ask(&other, "{\"n\":1}"), IDEM_OWNED);
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  cr_expect_eq(caller_ask(&one, "{}"), IDEM_HIT);
  cr_expect_str_eq(one.body, "{\"n\":0}");
  cr_expect_eq(caller_ask(&one, "{}"), IDEM_MISMATCH);
}

Test(store_sequence, a_number_is_kept_over_the_rounds_of_a_call)
{
  struct caller owner = caller_of(&fixture, "{}"), follower = owner;
  int owned[2], go[2], status;
  char byte = 0;

  cr_assert_eq(pipe(owned) + pipe(go), 0);
  pid_t child = fork();
  if (child == 0) {
    close(go[1]);
    bool first = caller_enter(&owner) == IDEM_OWNED && write(owned[1], &byte, 1) == 1;
    _exit(!first || read(go[0], &byte, 1) != 0 || caller_commit(&owner, "{}") != IDEM_STORED);
  }
  close(go[0]);
  cr_assert_eq(read(owned[0], &byte, 1), 1);
  for (int round = 0; round < 3; round++) {
    cr_assert_eq(caller_enter(&follower), IDEM_BUSY);
    cr_expect_eq(follower.call.sequence, 0);
    caller_leave(&follower, false);
  }
  close(go[1]);
  waitpid(child, &status, 0);
  cr_assert_eq(status, 0);
  cr_assert_eq(caller_enter(&follower), IDEM_HIT);
  cr_expect_eq(follower.call.sequence, 0);
  caller_leave(&follower, true);
}

Test(store_fresh, once_delivered_an_identical_call_is_a_new_sample)
{
  struct caller caller = caller_of(&fixture, "{}");
  for (uint32_t i = 0; i < 5; i++) {
    cr_assert_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
    cr_expect_eq(caller.call.sequence, i);
  }
}

static void ask_undelivered(struct caller *caller, const char *answer)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, JSON_HEADERS, answer);

  recording.delivered = false;
  caller->call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(caller_enter(caller), IDEM_OWNED);
  cr_assert_eq(
      idem_store_commit(caller->fixture->store, &caller->call, &caller->request, &recording, &caller->error),
      IDEM_STORED);
  caller_leave(caller, false);
}

Test(store_fresh, an_answer_that_did_not_arrive_is_given_to_the_retry_once)
{
  struct caller caller = caller_of(&fixture, "{}");

  ask_undelivered(&caller, "{\"n\":0}");
  cr_assert_eq(caller_ask(&caller, ""), IDEM_HIT);
  cr_expect_str_eq(caller.body, "{\"n\":0}");
  cr_expect_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
}

Test(store_fresh, a_replay_that_broke_off_is_given_again)
{
  struct caller caller = caller_of(&fixture, "{}");

  ask_undelivered(&caller, "{\"n\":0}");
  caller.call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(caller_enter(&caller), IDEM_HIT);
  caller_leave(&caller, false);
  cr_expect_eq(caller_ask(&caller, ""), IDEM_HIT);
  cr_expect_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
}

Test(store_fresh, calls_at_once_are_different_samples)
{
  struct caller a = caller_of(&fixture, "{}"), b = a;

  cr_assert_eq(caller_enter(&a), IDEM_OWNED);
  cr_assert_eq(caller_enter(&b), IDEM_OWNED);
  cr_expect_neq(a.call.sequence, b.call.sequence);
  cr_assert_eq(caller_commit(&b, "{}"), IDEM_STORED);
  caller_leave(&b, true);
  caller_leave(&a, false);
  struct caller c = caller_of(&fixture, "{}");
  cr_assert_eq(caller_enter(&c), IDEM_OWNED);
  cr_expect_eq(c.call.sequence, a.call.sequence, "the one that came to nothing");
  caller_leave(&c, false);
}

Test(store_fresh, a_call_in_doubt_is_resent_first)
{
  struct caller caller = caller_of(&fixture, "{}");
  int status;

  caller_ask(&caller, "{}");
  if (fork() == 0)
    _exit(caller_enter(&caller) != IDEM_OWNED);
  wait(&status);
  cr_assert_eq(status, 0);
  caller.call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect(caller.call.resent);
  cr_expect_eq(caller.call.sequence, 1);
  caller_leave(&caller, false);
}

/* The table of numbers by itself. */

static const uint8_t content[IDEM_KEY_SIZE] = "content";

static uint32_t take_and_settle(struct repeats *repeats, const void *base, bool used_up)
{
  struct repeats_number number = repeats_take(repeats, base);
  cr_assert(number.of);
  repeats_settle(number.of, number.is, used_up, 60000);
  return number.is;
}

Test(store_numbers, the_lowest_that_is_free_comes_first)
{
  enum { MANY = 1500 };
  struct repeats repeats = {.part = {NULL}};
  static struct repeats_number taken[MANY];

  for (uint32_t i = 0; i < MANY; i++) {
    taken[i] = repeats_take(&repeats, content);
    cr_assert_eq(taken[i].is, i);
    cr_expect(!taken[i].again);
  }
  static const uint32_t free_again[] = {1400, 3, 700, 64, 63, 701};
  static const uint32_t lowest_first[] = {3, 63, 64, 700, 701, 1400, MANY};
  for (size_t i = 0; i < 6; i++)
    repeats_settle(taken[free_again[i]].of, free_again[i], false, 60000);
  for (size_t i = 0; i < 7; i++)
    cr_expect_eq(repeats_take(&repeats, content).is, lowest_first[i]);
  repeats_release(&repeats);
}

Test(store_numbers, an_answer_uses_one_up_and_anything_else_does_not)
{
  struct repeats repeats = {.part = {NULL}};
  cr_expect_eq(take_and_settle(&repeats, content, false), 0);
  cr_expect_eq(take_and_settle(&repeats, content, true), 0);
  struct repeats_number next = repeats_take(&repeats, content);
  cr_expect_eq(next.is, 1);
  cr_expect(next.again);
  cr_expect_eq(take_and_settle(&repeats, "another content, of 32 bytes .....", true), 0);
  repeats_release(&repeats);
}

Test(store_numbers, a_content_is_forgotten_a_ttl_after_its_last_answer)
{
  struct repeats repeats = {.part = {NULL}};
  struct repeats_number a = repeats_take(&repeats, content), b = repeats_take(&repeats, content);
  repeats_settle(a.of, a.is, true, 0);
  /* As long as one is under way it is known. */
  cr_expect_eq(take_and_settle(&repeats, content, false), 2);
  repeats_settle(b.of, b.is, true, 0);
  struct repeats_number again = repeats_take(&repeats, content);
  cr_expect_eq(again.is, 0);
  cr_expect(!again.again);
  repeats_release(&repeats);
}

/* A table that keeps what is over would grow: what it has after many rounds is what
 * it had after the first. */
Test(store_numbers, the_places_of_what_is_over_are_used_again)
{
  struct repeats repeats = {.part = {NULL}};
  for (uint64_t i = 1; i < 100000; i++) {
    uint8_t base[IDEM_KEY_SIZE] = {0};
    uint64_t name = i * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(base, &name, sizeof(name));
    struct repeats_number number = repeats_take(&repeats, base);
    cr_assert_eq(number.is, 0);
    repeats_settle(number.of, 0, true, 0);
  }
  cr_expect_null(repeats.part[1]);
  repeats_release(&repeats);
}

Test(store_numbers, a_content_that_is_known_needs_no_heap)
{
  struct repeats repeats = {.part = {NULL}};
  take_and_settle(&repeats, content, true);
  size_t before = heap_in_use();
  for (uint32_t i = 1; i < 10000; i++)
    cr_assert_eq(take_and_settle(&repeats, content, true), i);
  cr_expect_eq(heap_in_use(), before);
  repeats_release(&repeats);
}

enum { THREADS = 4, CALLS = 20000 };

struct sampler {
  struct repeats *repeats;
  _Atomic unsigned char *held;
  _Atomic unsigned twice;
};

/* Every third call fails, and some contents come and go beside it. */
static void *sample(void *arg)
{
  struct sampler *sampler = arg;
  for (int i = 0; i < CALLS; i++) {
    uint8_t other[IDEM_KEY_SIZE] = {(uint8_t)(i % 200), 1};
    struct repeats_number number = repeats_take(sampler->repeats, content);
    struct repeats_number passing = repeats_take(sampler->repeats, other);
    if (atomic_exchange(&sampler->held[number.is], 1))
      atomic_fetch_add(&sampler->twice, 1);
    repeats_settle(passing.of, passing.is, true, 0);
    if (i % 3 == 0)
      atomic_store(&sampler->held[number.is], 0);
    repeats_settle(number.of, number.is, i % 3 != 0, 60000);
  }
  return NULL;
}

Test(store_numbers, no_two_threads_have_one_and_none_is_lost)
{
  struct repeats repeats = {.part = {NULL}};
  static _Atomic unsigned char held[THREADS * CALLS];
  struct sampler sampler = {.repeats = &repeats, .held = held};
  pthread_t thread[THREADS];

  for (int i = 0; i < THREADS; i++)
    cr_assert_eq(pthread_create(&thread[i], NULL, sample, &sampler), 0);
  for (int i = 0; i < THREADS; i++)
    pthread_join(thread[i], NULL);
  cr_expect_eq(sampler.twice, 0);
  uint32_t used = 0;
  for (int i = 0; i < THREADS * CALLS; i++)
    used += held[i];
  cr_expect_eq(used, THREADS * (CALLS - (CALLS + 2) / 3));
  for (uint32_t i = 0; i < used; i++)
    if (!held[i])
      cr_expect_eq(take_and_settle(&repeats, content, true), i);
  cr_expect_geq(take_and_settle(&repeats, content, true), used);
  repeats_release(&repeats);
}

/* repeats=auto: what is sampled. */

static void open_auto(void)
{
  fixture_open(&fixture, "repeats=auto method=*");
}

TestSuite(store_auto, .init = open_auto, .fini = close_fixture);

static struct caller asking(const char *method, const char *path, const char *body)
{
  struct caller caller = caller_of(&fixture, body);
  caller.request.method = SPAN(method);
  caller.request.path = SPAN(path);
  return caller;
}

/* Twice the same: 2 if both were sent. */
static int sent(const char *method, const char *path, const char *body)
{
  struct caller caller = asking(method, path, body);
  return (caller_ask(&caller, "{\"answer\":1}") == IDEM_OWNED) +
         (caller_ask(&caller, "{\"answer\":2}") == IDEM_OWNED);
}

Test(store_auto, is_told_by_method_path_temperature_and_seed)
{
  static const struct {
    int sent;
    const char *method, *path, *body;
  } calls[] = {
      {2, "POST", "/v1/chat/completions", "{}"},
      {2, "POST", "/v1/chat/completions", "{\"temperature\":0.1}"},
      {2, "POST", "/v1/chat/completions", "{\"temperature\":null}"},
      {2, "POST", "/v1/chat/completions", "{\"temperature\":\"0\"}"},
      {2, "POST", "/v1/chat/completions", "{\"temperature\":0,\"temperature\":1}"},
      {2, "POST", "/v1/chat/completions", "{\"a\":{\"temperature\":0},\"seed\":null}"},
      {2, "POST", "/completion", "{\"prompt\":\"a\",\"seed\":-1}"},
      {2, "POST", "/api/generate", "{\"options\":{\"seed\":-1}}"},
      {2, "POST", "/v1/chat/completions", "temperature=0"},
      {2, "POST", "/v1/chat/completions", ""},
      {2, "POST", "/v1/embeddings/chat", "{\"x\":1}"},
      {1, "POST", "/v1/chat/completions", "{\"temperature\":0}"},
      {1, "POST", "/v1/chat/completions", "{\"temperature\":-0.0e1}"},
      {1, "POST", "/v1/chat/completions", "{\"temperature\":1,\"seed\":7}"},
      {1, "POST", "/v1/chat/completions", "{\"random_seed\":7}"},
      {1, "POST", "/v1beta/models/gemini:generateContent", "{\"generationConfig\":{\"temperature\":0.00}}"},
      {1, "POST", "/v1beta/models/gemini:generateContent", "{\"generationConfig\":{\"seed\":1}}"},
      {1, "POST", "/model/anthropic.claude/converse", "{\"inferenceConfig\":{\"temperature\":0}}"},
      {1, "POST", "/api/chat", "{\"options\":{\"temperature\":0}}"},
      {1, "POST", "/generate", "{\"parameters\":{\"temperature\":0}}"},
      {1, "POST", "/generate", "{\"parameters\":{\"seed\":0}}"},
      {1, "POST", "/v1/embeddings", "{\"input\":\"x\"}"},
      {1, "POST", "/gateway/openai/v1/moderations", "{\"input\":\"x\"}"},
      {1, "POST", "/v2/rerank", "{\"query\":\"x\"}"},
      {1, "POST", "/v1/score", "{\"text_1\":\"x\"}"},
      {1, "POST", "/v1/classify", "{\"inputs\":[\"x\"]}"},
      {1, "POST", "/v1/ocr", "{\"document\":{}}"},
      {1, "POST", "/v1/messages/count_tokens", "{\"messages\":[]}"},
      {1, "POST", "/v1/models/gemini:countTokens", "{\"contents\":[]}"},
      {1, "POST", "/v1/models/text:embedContent", "{\"content\":{}}"},
      {1, "POST", "/model/amazon.titan-embed-text-v2:0/invoke", "{\"inputText\":\"x\"}"},
      {1, "GET", "/v1/chat/completions", ""},
      {1, "PUT", "/v1/chat/completions", "{\"put\":1}"},
  };
  for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
    cr_expect_eq(sent(calls[i].method, calls[i].path, calls[i].body), calls[i].sent, "%s %s %s",
                 calls[i].method, calls[i].path, calls[i].body);
}

Test(store_auto, a_key_of_the_clients_own_is_one_operation)
{
  struct caller caller = caller_of(&fixture, "{}");
  caller_header(&caller, "Idempotency-Key: one");
  cr_expect_eq(caller_ask(&caller, "{\"n\":0}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&caller, "{\"n\":1}"), IDEM_HIT);
  cr_expect(!caller.call.sampled);
  fixture_rule(&fixture, "repeats=auto key=json:/id");
  struct caller named = caller_of(&fixture, "{\"id\":1}");
  cr_expect_eq(caller_ask(&named, "{\"n\":0}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&named, "{\"n\":1}"), IDEM_HIT);
}

/* What is no answer, and an app that did not get it, leave the number to the retry. */
Test(store_auto, only_an_answer_that_was_delivered_uses_a_number_up)
{
  struct caller caller = caller_of(&fixture, "{}");
  caller_enter(&caller);
  caller_leave(&caller, false);
  cr_expect_eq(caller.call.sequence, 0);
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect_eq(caller.call.sequence, 0);
  cr_expect_eq(caller_commit(&caller, "{\"error\":{\"message\":\"overloaded\"}}"), IDEM_REFUSED);
  caller_leave(&caller, true);
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect_eq(caller.call.sequence, 0);
  cr_expect_eq(caller_commit(&caller, "{\"n\":0}"), IDEM_STORED);
  caller_leave(&caller, false);
  cr_assert_eq(caller_enter(&caller), IDEM_HIT, "stored, and not delivered");
  cr_expect_eq(caller.call.sequence, 0);
  caller_leave(&caller, true);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_new_sample), 0);
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect_eq(caller.call.sequence, 1);
  cr_expect(caller.call.new_sample);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_new_sample), 1);
  caller_leave(&caller, false);
}

/* The bytes are the same, so the class comes from beside their name. */
Test(store_auto, a_run_that_comes_again_has_the_same_answers)
{
  cr_expect_eq(run_of(10, 6), 7);
  cr_expect_eq(run_of(10, 10), 4);
  cr_expect_eq(run_of(10, 10), 0);
}

Test(store_auto, the_numbers_are_the_same_under_every_mode)
{
  static const char *const modes[] = {"repeats=fresh", "repeats=auto", "repeats=sequence"};
  for (int i = 0; i < 3; i++) {
    char answer[32];
    struct caller caller = caller_of(&fixture, "{}");
    snprintf(answer, sizeof(answer), "{\"n\":%d}", i);
    cr_expect_eq(caller_ask(&caller, answer), IDEM_OWNED);
  }
  for (int mode = 0; mode < 3; mode++) {
    struct idem_error error;
    fixture_rule(&fixture, modes[mode]);
    fixture_reopen(&fixture, &error);
    struct caller caller = caller_of(&fixture, "{}");
    for (int i = 0; mode && i < 3; i++) {
      char answer[32];
      snprintf(answer, sizeof(answer), "{\"n\":%d}", i);
      cr_expect_eq(caller_ask(&caller, "{}"), IDEM_HIT, "%s %d", modes[mode], i);
      cr_expect_str_eq(caller.body, answer);
    }
    if (!mode)
      cr_expect_eq(caller_enter(&caller), IDEM_OWNED);
    if (!mode)
      cr_expect_eq(caller.call.sequence, 3, "all of them are delivered");
    if (!mode)
      caller_leave(&caller, false);
  }
  fixture_rule(&fixture, "repeats=replay");
  struct caller caller = caller_of(&fixture, "{}");
  cr_expect_eq(caller_ask(&caller, "{}"), IDEM_HIT);
  cr_expect_str_eq(caller.body, "{\"n\":0}");
}

Test(store_auto, an_expired_number_is_sent_again_as_that_number)
{
  fixture_rule(&fixture, "repeats=auto ttl=1s");
  char first[3][IDEM_ID_SIZE];
  struct caller caller = caller_of(&fixture, "{}");
  for (int i = 0; i < 3; i++) {
    cr_expect_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
    memcpy(first[i], caller.call.id, IDEM_ID_SIZE);
  }
  usleep(1100000);
  for (int i = 0; i < 3; i++) {
    cr_expect_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
    cr_expect_str_eq(caller.call.id, first[i]);
    cr_expect(caller.call.expired, "a commit clears out one that has expired, the oldest: its own");
  }
}

Test(store_auto, a_child_goes_on_with_its_parents_numbers)
{
  struct caller caller = caller_of(&fixture, "{}"), flying = caller;
  cr_assert_eq(caller_ask(&caller, "{\"n\":0}"), IDEM_OWNED);
  cr_assert_eq(caller_enter(&flying), IDEM_OWNED);
  pid_t child = fork();
  if (child == 0) {
    struct caller own = caller_of(&fixture, "{}");
    _exit(caller_ask(&own, "{\"n\":2}") != IDEM_OWNED || own.call.sequence != 2);
  }
  int status;
  waitpid(child, &status, 0);
  cr_expect_eq(status, 0);
  caller_leave(&flying, false);
}

Test(store_auto, observe_promises_what_will_be_saved)
{
  struct caller sampled = caller_of(&fixture, "{}"), fixed = caller_of(&fixture, "{\"temperature\":0}");
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, JSON_HEADERS, "{\"a\":1}");
  struct caller *const callers[] = {&sampled, &sampled, &fixed, &fixed};
  static const int would_hit[] = {0, 0, 0, 1};
  for (int i = 0; i < 4; i++) {
    struct caller *caller = callers[i];
    struct idem_store *store = fixture.store;
    caller->request.headers = caller->headers;
    caller->request.rule = fixture.config.rules;
    caller->call = (struct idem_call)IDEM_CALL_INIT;
    cr_expect_eq(idem_store_observe(store, &caller->request, &caller->call, NULL, &caller->error),
                 would_hit[i]);
    cr_expect_eq(caller->call.sequence, i == 1);
    idem_store_observe(store, &caller->request, &caller->call, &recording, &caller->error);
    idem_store_leave(store, &caller->call, true);
  }
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_new_sample), 1);
}
