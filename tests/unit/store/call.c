/* SPDX-License-Identifier: MIT */
/* The life of a call: owned, committed, replayed; and what happens when it goes another way. */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(store_calls, .init = open_fixture, .fini = close_fixture);

static void assert_span(struct idem_span span, const char *text)
{
  cr_assert_eq(span.len, strlen(text), "%.*s is not %s", (int)span.len, span.data, text);
  cr_assert_eq(memcmp(span.data, text, span.len), 0, "%.*s is not %s", (int)span.len, span.data, text);
}

Test(store_calls, an_answer_comes_back_as_it_was_stored)
{
  struct caller caller = caller_of(&fixture, "{\"q\":1}");
  struct idem_chunk chunks[] = {{5, 3}, {0, 4}, {10, 20}};
  const char *headers =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
  struct idem_recording recording = {.status = 200,
                                     .started_us = 77,
                                     .duration_ms = 1234,
                                     .headers = SPAN(headers),
                                     .body = SPAN("{\"answer\": 42 }"),
                                     .facts = {"f\0cts", 5},
                                     .chunks = chunks,
                                     .chunk_count = 3,
                                     .framed = true,
                                     .delivered = true};
  caller.request.query = SPAN("a=1&key=test-credential-alpha&b=2");
  caller.request.scope = SPAN("job");
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_assert_eq(idem_store_commit(fixture.store, &caller.call, &caller.request, &recording, &caller.error),
               IDEM_STORED);
  caller_leave(&caller, true);

  cr_assert_eq(caller_enter(&caller), IDEM_HIT);
  const struct idem_answer *answer = &caller.call.answer;
  assert_span(answer->headers, headers);
  assert_span(answer->body, "{\"answer\": 42 }");
  cr_expect_eq(answer->facts.len, 5);
  cr_expect_eq(memcmp(answer->facts.data, "f\0cts", 5), 0);
  cr_assert_eq(answer->chunk_count, 3);
  cr_expect_eq(memcmp(answer->chunks, chunks, sizeof(chunks)), 0);
  cr_expect_eq(answer->status, 200);
  cr_expect_eq(answer->started_us, 77);
  cr_expect_eq(answer->duration_ms, 1234);
  cr_expect(answer->delivered && !answer->event_stream);
  assert_span(answer->query, "a=1&b=2");
  assert_span(answer->scope, "job");
  assert_span(answer->method, "POST");
  assert_span(answer->path, "/v1/chat");
  assert_span(answer->request_body, "{\"q\":1}");
  assert_span(answer->request_headers, "Content-Type: application/json\r\n");
  cr_expect_eq(answer->key_kind, IDEM_KEY_CONTENT);
  cr_expect_str_eq(answer->id, caller.call.id);
  caller_leave(&caller, true);
}

Test(store_calls, an_answer_outlives_the_store_that_took_it)
{
  struct caller caller = caller_of(&fixture, "{}");
  struct idem_error error;

  cr_assert_eq(caller_ask(&caller, "{\"a\":1}"), IDEM_OWNED);
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  cr_assert_eq(caller_ask(&caller, "{\"a\":2}"), IDEM_HIT);
  cr_expect_str_eq(caller.body, "{\"a\":1}");
}

Test(store_calls, large_answers_and_long_requests_are_kept)
{
  size_t size = 3 << 20;
  char *body = malloc(size), *answer = malloc(size);
  memset(body, 'b', size);
  memset(answer, ' ', size);
  memcpy(answer, "{}", 2);
  struct caller caller = caller_of(&fixture, "");
  struct idem_chunk chunk = {(uint32_t)size, 0};
  struct idem_recording recording = recording_of(&chunk, JSON_HEADERS, "");
  chunk.len = (uint32_t)size;
  caller.request.body = (struct idem_span){body, size};
  recording.body = (struct idem_span){answer, size};
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_assert_eq(idem_store_commit(fixture.store, &caller.call, &caller.request, &recording, &caller.error),
               IDEM_STORED, "%s", caller.error.text);
  caller_leave(&caller, true);
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(caller_enter(&caller), IDEM_HIT);
    cr_expect_eq(caller.call.answer.body.len, size);
    cr_expect_eq(memcmp(caller.call.answer.body.data, answer, size), 0);
    cr_expect_eq(caller.call.answer.request_body_len, size);
    cr_expect_eq(caller.call.answer.request_body.len, 256 * 1024);
    caller_leave(&caller, true);
  }
  free(body);
  free(answer);
}

Test(store_calls, an_unpinned_answer_survives_the_store)
{
  struct caller caller = caller_of(&fixture, "{}");
  struct idem_error error;

  caller_ask(&caller, "{\"a\":1}");
  caller.call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(caller_enter(&caller), IDEM_HIT);
  cr_assert_eq(idem_store_unpin(fixture.store, &caller.call), 0);
  cr_assert_eq(idem_store_unpin(fixture.store, &caller.call), 0);
  cr_assert_eq(idem_store_remove(fixture.store, caller.call.id, &error), 0, "%s", error.text);
  assert_span(caller.call.answer.body, "{\"a\":1}");
  cr_expect_eq(caller.call.answer.chunks[0].len, 7);
  caller_leave(&caller, true);
}

Test(store_calls, a_call_inside_a_call_has_its_own_snapshot)
{
  struct caller outer = caller_of(&fixture, "{\"o\":1}"), inner = caller_of(&fixture, "{\"i\":1}");

  caller_ask(&outer, "{\"outer\":1}");
  caller_ask(&inner, "{\"inner\":1}");
  cr_assert_eq(caller_enter(&outer), IDEM_HIT);
  cr_assert_eq(caller_ask(&inner, "{}"), IDEM_HIT);
  cr_expect_str_eq(inner.body, "{\"inner\":1}");
  assert_span(outer.call.answer.body, "{\"outer\":1}");
  caller_leave(&outer, true);
}

Test(store_calls, errno_is_nobodys_business)
{
  struct caller caller = caller_of(&fixture, "{}");

  errno = 4711;
  caller_ask(&caller, "{}");
  caller_ask(&caller, "{}");
  cr_expect_eq(errno, 4711);
}

Test(store_calls, an_owner_without_an_answer_makes_way)
{
  struct caller first = caller_of(&fixture, "{}"), second = first;

  cr_assert_eq(caller_enter(&first), IDEM_OWNED);
  caller_leave(&first, false);
  cr_assert_eq(caller_enter(&second), IDEM_OWNED);
  cr_expect_str_eq(second.call.upstream_key, first.call.upstream_key);
  cr_expect_gt(second.call.generation, first.call.generation);
  cr_expect_not(second.call.resent);
  caller_leave(&second, false);
  cr_expect_eq(strlen(first.call.upstream_key), 36);
  cr_expect_eq(first.call.upstream_key[14], '4');
}

Test(store_calls, a_new_operation_after_an_answer_has_a_new_upstream_key)
{
  struct caller caller = caller_of(&fixture, "{}");
  char first[37];

  cr_assert_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
  memcpy(first, caller.call.upstream_key, sizeof(first));
  struct idem_error error;
  cr_assert_eq(idem_store_remove(fixture.store, caller.call.id, &error), 0);
  cr_assert_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
  cr_expect_str_neq(caller.call.upstream_key, first);
}

Test(store_calls, a_claim_is_exclusive_within_a_thread_too)
{
  struct caller owner = caller_of(&fixture, "{}"), follower = owner;

  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  cr_assert_eq(caller_enter(&follower), IDEM_BUSY);
  cr_expect_eq(idem_store_wait(fixture.store, &follower.call, 30), -ETIMEDOUT);
  caller_leave(&follower, false);
  cr_assert_eq(caller_commit(&owner, "{}"), IDEM_STORED);
  cr_expect_eq(idem_store_wait(fixture.store, &follower.call, 10000), 0,
               "a commit that was missed is no reason to sleep");
  caller_leave(&owner, true);
  cr_assert_eq(caller_enter(&follower), IDEM_HIT);
  cr_expect(follower.call.waited);
  caller_leave(&follower, true);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_joins), 1);
}

Test(store_calls, a_refused_answer_is_not_kept)
{
  struct caller caller = caller_of(&fixture, "{}");
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, "HTTP/1.1 429 Too Many\r\n\r\n", "{}");

  recording.status = 429;
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect_eq(idem_store_commit(fixture.store, &caller.call, &caller.request, &recording, &caller.error),
               IDEM_REFUSED);
  cr_expect_not_null(strstr(caller.error.text, "429"));
  caller_leave(&caller, true);
  /* What was refused has an outcome: it is not in doubt, also where that would refuse the next call. */
  fixture_rule(&fixture, "indoubt=fail");
  cr_expect_eq(caller_enter(&caller), IDEM_OWNED);
  caller_leave(&caller, false);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_not_stored), 1);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_in_doubt), 0);
}

/* Time. */

Test(store_calls, an_expired_answer_is_never_served)
{
  struct caller caller = caller_of(&fixture, "{}");

  fixture_rule(&fixture, "ttl=1ms");
  cr_assert_eq(caller_ask(&caller, "{\"a\":1}"), IDEM_OWNED);
  do
    caller.call = (struct idem_call)IDEM_CALL_INIT;
  while (caller_enter(&caller) == IDEM_HIT && (caller_leave(&caller, false), true));
  cr_expect(caller.call.expired);
  cr_expect_eq(caller.call.priv.verdict, IDEM_OWNED);
  cr_assert_eq(caller_commit(&caller, "{\"a\":2}"), IDEM_STORED);
  caller_leave(&caller, true);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_expired), 1);
}

Test(store_calls, a_shorter_ttl_counts_for_older_answers_and_a_longer_one_does_not)
{
  struct caller caller = caller_of(&fixture, "{}");

  cr_assert_eq(caller_ask(&caller, "{\"a\":1}"), IDEM_OWNED);
  fixture_rule(&fixture, "ttl=0");
  cr_expect_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect(caller.call.expired);
  caller_leave(&caller, false);
  fixture_rule(&fixture, "ttl=forever");
  cr_expect_eq(caller_ask(&caller, "{\"a\":2}"), IDEM_HIT);
}

Test(store_calls, forever_has_no_end)
{
  struct caller caller = caller_of(&fixture, "{}");

  fixture_rule(&fixture, "ttl=forever");
  caller_ask(&caller, "{}");
  cr_assert_eq(caller_ask(&caller, "{}"), IDEM_HIT);
  cr_expect_eq(caller.call.answer.expires_us, INT64_MAX);
}

/* One key, two contents. */

static struct caller keyed(const char *key, const char *body)
{
  struct caller caller = caller_of(&fixture, body);

  caller_header(&caller, key);
  return caller;
}

Test(store_calls, mismatch_replay_gives_the_first_answer)
{
  struct caller first = keyed("Idempotency-Key: k", "{\"a\":1}"),
                second = keyed("Idempotency-Key: k", "{\"a\":2}");

  cr_assert_eq(caller_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  cr_assert_eq(caller_ask(&second, "{\"second\":1}"), IDEM_HIT);
  cr_expect(second.call.mismatched);
  cr_expect_str_eq(second.body, "{\"first\":1}");
  cr_expect_eq(caller_ask(&first, ""), IDEM_HIT);
  cr_expect_not(first.call.mismatched);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_mismatch), 1);
}

Test(store_calls, mismatch_reject_and_bypass_say_so)
{
  struct caller first = keyed("Idempotency-Key: k", "{\"a\":1}"),
                second = keyed("Idempotency-Key: k", "{\"a\":2}");

  cr_assert_eq(caller_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  for (int i = 0; i < 2; i++) {
    fixture_rule(&fixture, i ? "mismatch=bypass" : "mismatch=reject");
    cr_assert_eq(caller_enter(&second), IDEM_MISMATCH);
    cr_expect(second.call.mismatched);
    assert_span(second.call.answer.body, "{\"first\":1}");
    caller_leave(&second, false);
  }
}

Test(store_calls, mismatch_is_seen_while_the_first_is_in_flight)
{
  struct caller first = keyed("Idempotency-Key: k", "{\"a\":1}"),
                second = keyed("Idempotency-Key: k", "{\"a\":2}");

  fixture_rule(&fixture, "mismatch=reject");
  cr_assert_eq(caller_enter(&first), IDEM_OWNED);
  cr_assert_eq(caller_enter(&second), IDEM_MISMATCH);
  cr_expect_null(second.call.answer.record.data);
  caller_leave(&second, false);
  caller_leave(&first, false);
  cr_expect_eq(caller_enter(&second), IDEM_OWNED, "the first came to nothing");
  cr_expect_str_neq(second.call.upstream_key, first.call.upstream_key);
  caller_leave(&second, false);
}

Test(store_calls, the_raw_short_cut_does_not_hide_a_mismatch)
{
  struct caller first = keyed("Idempotency-Key: k", "{\"a\":1}"),
                second = keyed("Idempotency-Key: k", "{\"a\":2}");
  struct idem_error error;

  cr_assert_eq(caller_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  cr_assert_eq(idem_store_remove(fixture.store, first.call.id, &error), 0);
  cr_assert_eq(caller_ask(&second, "{\"second\":1}"), IDEM_OWNED);
  cr_assert_eq(caller_ask(&first, ""), IDEM_HIT);
  cr_expect(first.call.mismatched);
}

/* One content, two keys. */

Test(store_calls, a_fresh_key_is_churn_also_while_the_first_is_under_way)
{
  struct caller first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k2", "{}");

  cr_assert_eq(caller_enter(&first), IDEM_OWNED);
  cr_assert_eq(caller_enter(&second), IDEM_OWNED);
  cr_expect(second.call.churned);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_key_churn), 1);
  caller_leave(&second, false);
  caller_leave(&first, false);
}

/* What follows a call and what repeats it has its key, and no other. */
Test(store_calls, the_same_key_is_no_churn)
{
  struct caller first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k1", "{}");

  cr_assert_eq(caller_enter(&first), IDEM_OWNED);
  cr_assert_eq(caller_enter(&second), IDEM_BUSY);
  cr_expect_not(second.call.churned);
  caller_leave(&second, false);
  cr_assert_eq(caller_commit(&first, "{}"), IDEM_STORED);
  caller_leave(&first, true);
  cr_assert_eq(caller_ask(&second, "{}"), IDEM_HIT);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_key_churn), 0);
}

/* Of a release: where it changes, every answer that is stored is a mismatch to the next version. */
Test(store_calls, the_fingerprint_of_a_content_stays_what_it_was)
{
  struct caller caller = caller_of(&fixture, "{\"model\":\"m\",\"n\":[1,2.5,null]}");
  char hex[2 * IDEM_KEY_SIZE + 1];

  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  for (int i = 0; i < IDEM_KEY_SIZE; i++)
    snprintf(hex + 2 * i, 3, "%02x", caller.call.fingerprint[i]);
  cr_expect_str_eq(hex, "2a415a04e11c68b7c610a4542719a3d238c63441af0bf037b6c8839e508b5cf3");
  caller_leave(&caller, false);
}

Test(store_calls, a_fresh_key_for_the_same_content_is_churn)
{
  struct caller first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k2", "{}");

  cr_assert_eq(caller_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  cr_expect_not(first.call.churned);
  cr_assert_eq(caller_ask(&second, "{\"second\":1}"), IDEM_OWNED);
  cr_expect(second.call.churned);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_key_churn), 1);
  struct caller other = keyed("Idempotency-Key: k3", "{\"other\":1}");
  cr_assert_eq(caller_ask(&other, "{}"), IDEM_OWNED);
  cr_expect_not(other.call.churned);
}

Test(store_calls, churn_is_seen_after_an_expired_answer_was_replaced)
{
  struct caller first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k2", "{}");

  fixture_rule(&fixture, "ttl=0");
  cr_assert_eq(caller_ask(&first, "{}"), IDEM_OWNED);
  fixture_rule(&fixture, "ttl=1h");
  cr_assert_eq(caller_ask(&first, "{}"), IDEM_OWNED);
  cr_assert_eq(caller_ask(&second, "{}"), IDEM_OWNED);
  cr_expect(second.call.churned);
}

Test(store_calls, churn_join_gives_the_answer_of_the_other_key)
{
  struct caller first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k2", "{}");

  fixture_rule(&fixture, "churn=join");
  cr_assert_eq(caller_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  cr_assert_eq(caller_ask(&second, "{\"second\":1}"), IDEM_HIT);
  cr_expect(second.call.churned);
  cr_expect_str_eq(second.body, "{\"first\":1}");
  cr_expect_str_eq(second.call.id, first.call.id);
}

/* Beside a key of its own a header counts only if it is known to matter; two keys with another
 * model there are two calls. */
Test(store_calls, another_header_is_no_churn)
{
  struct caller first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k2", "{}"),
                third = keyed("Idempotency-Key: k3", "{}");

  fixture_rule(&fixture, "churn=join");
  caller_header(&first, "X-Model: small");
  caller_header(&second, "X-Model: large");
  caller_header(&third, "X-Model: large");
  caller_header(&third, "X-Request-Id: 3");
  cr_assert_eq(caller_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  cr_assert_eq(caller_ask(&second, "{\"second\":1}"), IDEM_OWNED);
  cr_expect_not(second.call.churned);
  cr_assert_eq(caller_ask(&third, "{\"third\":1}"), IDEM_HIT);
  cr_expect(third.call.churned);
  cr_expect_str_eq(third.body, "{\"second\":1}");
}

Test(store_calls, churn_join_follows_the_other_key_in_flight)
{
  struct caller first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k2", "{}");

  fixture_rule(&fixture, "churn=join");
  cr_assert_eq(caller_enter(&first), IDEM_OWNED);
  cr_assert_eq(caller_enter(&second), IDEM_BUSY);
  caller_leave(&second, false);
  cr_assert_eq(caller_commit(&first, "{\"first\":1}"), IDEM_STORED);
  caller_leave(&first, true);
  cr_assert_eq(caller_enter(&second), IDEM_HIT);
  caller_leave(&second, true);
}

/* Owners that die. */

/* Enters in a child that then dies like one that was killed; its upstream key comes back. */
static void die_as_owner(struct caller *caller, char upstream_key[37])
{
  int pipes[2];
  cr_assert_eq(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    bool owned = caller_enter(caller) == IDEM_OWNED;
    _exit(owned && write(pipes[1], caller->call.upstream_key, 37) == 37 ? 0 : 1);
  }
  int status;
  waitpid(child, &status, 0);
  cr_assert_eq(status, 0);
  cr_assert_eq(read(pipes[0], upstream_key, 37), 37);
  close(pipes[0]), close(pipes[1]);
}

Test(store_calls, after_a_dead_owner_the_same_upstream_key_is_sent_again)
{
  struct caller caller = caller_of(&fixture, "{}");
  char upstream_key[37];

  die_as_owner(&caller, upstream_key);
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect(caller.call.resent);
  cr_expect_str_eq(caller.call.upstream_key, upstream_key);
  cr_assert_eq(caller_commit(&caller, "{}"), IDEM_STORED);
  caller_leave(&caller, true);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_in_doubt), 1);
}

Test(store_calls, indoubt_fail_sends_at_most_once)
{
  struct caller caller = caller_of(&fixture, "{}");
  char upstream_key[37];
  struct idem_error error;

  fixture_rule(&fixture, "indoubt=fail");
  die_as_owner(&caller, upstream_key);
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(caller_enter(&caller), IDEM_IN_DOUBT);
    caller_leave(&caller, false);
  }
  cr_assert_eq(idem_store_remove(fixture.store, caller.call.id, &error), 0, "%s", error.text);
  cr_expect_eq(caller_enter(&caller), IDEM_OWNED);
  caller_leave(&caller, false);
}

Test(store_calls, a_later_owner_is_not_overwritten)
{
  struct caller late = caller_of(&fixture, "{}"), now = late;

  cr_assert_eq(caller_enter(&late), IDEM_OWNED);
  /* As if the first owner's lock were lost: its generation is all that is left to tell. */
  uint64_t generation = late.call.generation;
  caller_leave(&late, false);
  cr_assert_eq(caller_enter(&now), IDEM_OWNED);
  struct caller loser = now;
  loser.call.generation = generation;
  cr_expect_eq(caller_commit(&loser, "{\"late\":1}"), IDEM_SUPERSEDED);
  cr_expect_neq(loser.error.text[0], '\0');
  cr_assert_eq(caller_commit(&now, "{\"now\":1}"), IDEM_STORED);
  caller_leave(&now, true);
  cr_assert_eq(caller_ask(&now, ""), IDEM_HIT);
  cr_expect_str_eq(now.body, "{\"now\":1}");
}
