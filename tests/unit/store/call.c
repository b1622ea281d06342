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

static struct shop shop;

static void open_shop(void)
{
  shop_open(&shop, "");
}

static void close_shop(void)
{
  shop_close(&shop);
}

TestSuite(store_calls, .init = open_shop, .fini = close_shop);

static void assert_span(struct idem_span span, const char *text)
{
  cr_assert_eq(span.len, strlen(text), "%.*s is not %s", (int)span.len, span.data, text);
  cr_assert_eq(memcmp(span.data, text, span.len), 0, "%.*s is not %s", (int)span.len, span.data, text);
}

Test(store_calls, an_answer_comes_back_as_it_was_stored)
{
  struct order order = order_of(&shop, "{\"q\":1}");
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
  order.request.query = SPAN("a=1&key=test-credential-alpha&b=2");
  order.request.scope = SPAN("job");
  cr_assert_eq(order_enter(&order), IDEM_OWNED);
  cr_assert_eq(idem_store_commit(shop.store, &order.call, &order.request, &recording, &order.error),
               IDEM_STORED);
  order_leave(&order, true);

  cr_assert_eq(order_enter(&order), IDEM_HIT);
  const struct idem_answer *answer = &order.call.answer;
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
  cr_expect_str_eq(answer->id, order.call.id);
  order_leave(&order, true);
}

Test(store_calls, an_answer_outlives_the_store_that_took_it)
{
  struct order order = order_of(&shop, "{}");
  struct idem_error error;

  cr_assert_eq(order_ask(&order, "{\"a\":1}"), IDEM_OWNED);
  cr_assert_eq(shop_reopen(&shop, &error), 0);
  cr_assert_eq(order_ask(&order, "{\"a\":2}"), IDEM_HIT);
  cr_expect_str_eq(order.body, "{\"a\":1}");
}

Test(store_calls, large_answers_and_long_requests_are_kept)
{
  size_t size = 3 << 20;
  char *body = malloc(size), *answer = malloc(size);
  memset(body, 'b', size);
  memset(answer, ' ', size);
  memcpy(answer, "{}", 2);
  struct order order = order_of(&shop, "");
  struct idem_chunk chunk = {(uint32_t)size, 0};
  struct idem_recording recording = recording_of(&chunk, JSON_HEADERS, "");
  chunk.len = (uint32_t)size;
  order.request.body = (struct idem_span){body, size};
  recording.body = (struct idem_span){answer, size};
  cr_assert_eq(order_enter(&order), IDEM_OWNED);
  cr_assert_eq(idem_store_commit(shop.store, &order.call, &order.request, &recording, &order.error),
               IDEM_STORED, "%s", order.error.text);
  order_leave(&order, true);
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(order_enter(&order), IDEM_HIT);
    cr_expect_eq(order.call.answer.body.len, size);
    cr_expect_eq(memcmp(order.call.answer.body.data, answer, size), 0);
    cr_expect_eq(order.call.answer.request_body_len, size);
    cr_expect_eq(order.call.answer.request_body.len, 256 * 1024);
    order_leave(&order, true);
  }
  free(body);
  free(answer);
}

Test(store_calls, an_unpinned_answer_survives_the_store)
{
  struct order order = order_of(&shop, "{}");
  struct idem_error error;

  order_ask(&order, "{\"a\":1}");
  order.call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(order_enter(&order), IDEM_HIT);
  cr_assert_eq(idem_store_unpin(shop.store, &order.call), 0);
  cr_assert_eq(idem_store_unpin(shop.store, &order.call), 0);
  cr_assert_eq(idem_store_remove(shop.store, order.call.id, &error), 0, "%s", error.text);
  assert_span(order.call.answer.body, "{\"a\":1}");
  cr_expect_eq(order.call.answer.chunks[0].len, 7);
  order_leave(&order, true);
}

Test(store_calls, a_call_inside_a_call_has_its_own_snapshot)
{
  struct order outer = order_of(&shop, "{\"o\":1}"), inner = order_of(&shop, "{\"i\":1}");

  order_ask(&outer, "{\"outer\":1}");
  order_ask(&inner, "{\"inner\":1}");
  cr_assert_eq(order_enter(&outer), IDEM_HIT);
  cr_assert_eq(order_ask(&inner, "{}"), IDEM_HIT);
  cr_expect_str_eq(inner.body, "{\"inner\":1}");
  assert_span(outer.call.answer.body, "{\"outer\":1}");
  order_leave(&outer, true);
}

Test(store_calls, errno_is_nobodys_business)
{
  struct order order = order_of(&shop, "{}");

  errno = 4711;
  order_ask(&order, "{}");
  order_ask(&order, "{}");
  cr_expect_eq(errno, 4711);
}

Test(store_calls, an_owner_without_an_answer_makes_way)
{
  struct order first = order_of(&shop, "{}"), second = first;

  cr_assert_eq(order_enter(&first), IDEM_OWNED);
  order_leave(&first, false);
  cr_assert_eq(order_enter(&second), IDEM_OWNED);
  cr_expect_str_eq(second.call.upstream_key, first.call.upstream_key);
  cr_expect_gt(second.call.generation, first.call.generation);
  cr_expect_not(second.call.resent);
  order_leave(&second, false);
  cr_expect_eq(strlen(first.call.upstream_key), 36);
  cr_expect_eq(first.call.upstream_key[14], '4');
}

Test(store_calls, a_new_operation_after_an_answer_has_a_new_upstream_key)
{
  struct order order = order_of(&shop, "{}");
  char first[37];

  cr_assert_eq(order_ask(&order, "{}"), IDEM_OWNED);
  memcpy(first, order.call.upstream_key, sizeof(first));
  struct idem_error error;
  cr_assert_eq(idem_store_remove(shop.store, order.call.id, &error), 0);
  cr_assert_eq(order_ask(&order, "{}"), IDEM_OWNED);
  cr_expect_str_neq(order.call.upstream_key, first);
}

Test(store_calls, a_claim_is_exclusive_within_a_thread_too)
{
  struct order owner = order_of(&shop, "{}"), follower = owner;

  cr_assert_eq(order_enter(&owner), IDEM_OWNED);
  cr_assert_eq(order_enter(&follower), IDEM_BUSY);
  cr_expect_eq(idem_store_wait(shop.store, &follower.call, 30), -ETIMEDOUT);
  order_leave(&follower, false);
  cr_assert_eq(order_commit(&owner, "{}"), IDEM_STORED);
  cr_expect_eq(idem_store_wait(shop.store, &follower.call, 10000), 0,
               "a commit that was missed is no reason to sleep");
  order_leave(&owner, true);
  cr_assert_eq(order_enter(&follower), IDEM_HIT);
  cr_expect(follower.call.waited);
  order_leave(&follower, true);
  cr_expect_eq(shop_counter(&shop, IDEM_COUNTER_joins), 1);
}

Test(store_calls, a_refused_answer_is_not_kept)
{
  struct order order = order_of(&shop, "{}");
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, "HTTP/1.1 429 Too Many\r\n\r\n", "{}");

  recording.status = 429;
  cr_assert_eq(order_enter(&order), IDEM_OWNED);
  cr_expect_eq(idem_store_commit(shop.store, &order.call, &order.request, &recording, &order.error),
               IDEM_REFUSED);
  cr_expect_not_null(strstr(order.error.text, "429"));
  order_leave(&order, true);
  cr_expect_eq(order_enter(&order), IDEM_OWNED);
  order_leave(&order, false);
  cr_expect_eq(shop_counter(&shop, IDEM_COUNTER_not_stored), 1);
}

/* Time. */

Test(store_calls, an_expired_answer_is_never_served)
{
  struct order order = order_of(&shop, "{}");

  shop_rule(&shop, "ttl=1ms");
  cr_assert_eq(order_ask(&order, "{\"a\":1}"), IDEM_OWNED);
  do
    order.call = (struct idem_call)IDEM_CALL_INIT;
  while (order_enter(&order) == IDEM_HIT && (order_leave(&order, false), true));
  cr_expect(order.call.expired);
  cr_expect_eq(order.call.priv.verdict, IDEM_OWNED);
  cr_assert_eq(order_commit(&order, "{\"a\":2}"), IDEM_STORED);
  order_leave(&order, true);
  cr_expect_eq(shop_counter(&shop, IDEM_COUNTER_expired), 1);
}

Test(store_calls, a_shorter_ttl_counts_for_older_answers_and_a_longer_one_does_not)
{
  struct order order = order_of(&shop, "{}");

  cr_assert_eq(order_ask(&order, "{\"a\":1}"), IDEM_OWNED);
  shop_rule(&shop, "ttl=0");
  cr_expect_eq(order_enter(&order), IDEM_OWNED);
  cr_expect(order.call.expired);
  order_leave(&order, false);
  shop_rule(&shop, "ttl=forever");
  cr_expect_eq(order_ask(&order, "{\"a\":2}"), IDEM_HIT);
}

Test(store_calls, forever_has_no_end)
{
  struct order order = order_of(&shop, "{}");

  shop_rule(&shop, "ttl=forever");
  order_ask(&order, "{}");
  cr_assert_eq(order_ask(&order, "{}"), IDEM_HIT);
  cr_expect_eq(order.call.answer.expires_us, INT64_MAX);
}

/* One key, two contents. */

static struct order keyed(const char *key, const char *body)
{
  struct order order = order_of(&shop, body);

  order_header(&order, key);
  return order;
}

Test(store_calls, mismatch_replay_gives_the_first_answer)
{
  struct order first = keyed("Idempotency-Key: k", "{\"a\":1}"),
               second = keyed("Idempotency-Key: k", "{\"a\":2}");

  cr_assert_eq(order_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  cr_assert_eq(order_ask(&second, "{\"second\":1}"), IDEM_HIT);
  cr_expect(second.call.mismatched);
  cr_expect_str_eq(second.body, "{\"first\":1}");
  cr_expect_eq(order_ask(&first, ""), IDEM_HIT);
  cr_expect_not(first.call.mismatched);
  cr_expect_eq(shop_counter(&shop, IDEM_COUNTER_mismatch), 1);
}

Test(store_calls, mismatch_reject_and_bypass_say_so)
{
  struct order first = keyed("Idempotency-Key: k", "{\"a\":1}"),
               second = keyed("Idempotency-Key: k", "{\"a\":2}");

  cr_assert_eq(order_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  for (int i = 0; i < 2; i++) {
    shop_rule(&shop, i ? "mismatch=bypass" : "mismatch=reject");
    cr_assert_eq(order_enter(&second), IDEM_MISMATCH);
    cr_expect(second.call.mismatched);
    assert_span(second.call.answer.body, "{\"first\":1}");
    order_leave(&second, false);
  }
}

Test(store_calls, mismatch_is_seen_while_the_first_is_in_flight)
{
  struct order first = keyed("Idempotency-Key: k", "{\"a\":1}"),
               second = keyed("Idempotency-Key: k", "{\"a\":2}");

  shop_rule(&shop, "mismatch=reject");
  cr_assert_eq(order_enter(&first), IDEM_OWNED);
  cr_assert_eq(order_enter(&second), IDEM_MISMATCH);
  cr_expect_null(second.call.answer.record.data);
  order_leave(&second, false);
  order_leave(&first, false);
  cr_expect_eq(order_enter(&second), IDEM_OWNED, "the first came to nothing");
  cr_expect_str_neq(second.call.upstream_key, first.call.upstream_key);
  order_leave(&second, false);
}

Test(store_calls, the_raw_short_cut_does_not_hide_a_mismatch)
{
  struct order first = keyed("Idempotency-Key: k", "{\"a\":1}"),
               second = keyed("Idempotency-Key: k", "{\"a\":2}");
  struct idem_error error;

  cr_assert_eq(order_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  cr_assert_eq(idem_store_remove(shop.store, first.call.id, &error), 0);
  cr_assert_eq(order_ask(&second, "{\"second\":1}"), IDEM_OWNED);
  cr_assert_eq(order_ask(&first, ""), IDEM_HIT);
  cr_expect(first.call.mismatched);
}

/* One content, two keys. */

Test(store_calls, a_fresh_key_for_the_same_content_is_churn)
{
  struct order first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k2", "{}");

  cr_assert_eq(order_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  cr_expect_not(first.call.churned);
  cr_assert_eq(order_ask(&second, "{\"second\":1}"), IDEM_OWNED);
  cr_expect(second.call.churned);
  cr_expect_eq(shop_counter(&shop, IDEM_COUNTER_key_churn), 1);
  struct order other = keyed("Idempotency-Key: k3", "{\"other\":1}");
  cr_assert_eq(order_ask(&other, "{}"), IDEM_OWNED);
  cr_expect_not(other.call.churned);
}

Test(store_calls, churn_is_seen_after_an_expired_answer_was_replaced)
{
  struct order first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k2", "{}");

  shop_rule(&shop, "ttl=0");
  cr_assert_eq(order_ask(&first, "{}"), IDEM_OWNED);
  shop_rule(&shop, "ttl=1h");
  cr_assert_eq(order_ask(&first, "{}"), IDEM_OWNED);
  cr_assert_eq(order_ask(&second, "{}"), IDEM_OWNED);
  cr_expect(second.call.churned);
}

Test(store_calls, churn_join_gives_the_answer_of_the_other_key)
{
  struct order first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k2", "{}");

  shop_rule(&shop, "churn=join");
  cr_assert_eq(order_ask(&first, "{\"first\":1}"), IDEM_OWNED);
  cr_assert_eq(order_ask(&second, "{\"second\":1}"), IDEM_HIT);
  cr_expect(second.call.churned);
  cr_expect_str_eq(second.body, "{\"first\":1}");
  cr_expect_str_eq(second.call.id, first.call.id);
}

Test(store_calls, churn_join_follows_the_other_key_in_flight)
{
  struct order first = keyed("Idempotency-Key: k1", "{}"), second = keyed("Idempotency-Key: k2", "{}");

  shop_rule(&shop, "churn=join");
  cr_assert_eq(order_enter(&first), IDEM_OWNED);
  cr_assert_eq(order_enter(&second), IDEM_BUSY);
  order_leave(&second, false);
  cr_assert_eq(order_commit(&first, "{\"first\":1}"), IDEM_STORED);
  order_leave(&first, true);
  cr_assert_eq(order_enter(&second), IDEM_HIT);
  order_leave(&second, true);
}

/* Owners that die. */

/* Enters in a child that then dies like one that was killed; its upstream key comes back. */
static void die_as_owner(struct order *order, char upstream_key[37])
{
  int pipes[2];
  cr_assert_eq(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    bool owned = order_enter(order) == IDEM_OWNED;
    _exit(owned && write(pipes[1], order->call.upstream_key, 37) == 37 ? 0 : 1);
  }
  int status;
  waitpid(child, &status, 0);
  cr_assert_eq(status, 0);
  cr_assert_eq(read(pipes[0], upstream_key, 37), 37);
  close(pipes[0]), close(pipes[1]);
}

Test(store_calls, after_a_dead_owner_the_same_upstream_key_is_sent_again)
{
  struct order order = order_of(&shop, "{}");
  char upstream_key[37];

  die_as_owner(&order, upstream_key);
  cr_assert_eq(order_enter(&order), IDEM_OWNED);
  cr_expect(order.call.resent);
  cr_expect_str_eq(order.call.upstream_key, upstream_key);
  cr_assert_eq(order_commit(&order, "{}"), IDEM_STORED);
  order_leave(&order, true);
  cr_expect_eq(shop_counter(&shop, IDEM_COUNTER_in_doubt), 1);
}

Test(store_calls, indoubt_fail_sends_at_most_once)
{
  struct order order = order_of(&shop, "{}");
  char upstream_key[37];
  struct idem_error error;

  shop_rule(&shop, "indoubt=fail");
  die_as_owner(&order, upstream_key);
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(order_enter(&order), IDEM_IN_DOUBT);
    order_leave(&order, false);
  }
  cr_assert_eq(idem_store_remove(shop.store, order.call.id, &error), 0, "%s", error.text);
  cr_expect_eq(order_enter(&order), IDEM_OWNED);
  order_leave(&order, false);
}

Test(store_calls, a_later_owner_is_not_overwritten)
{
  struct order late = order_of(&shop, "{}"), now = late;

  cr_assert_eq(order_enter(&late), IDEM_OWNED);
  /* As if the first owner's lock were lost: its generation is all that is left to tell. */
  uint64_t generation = late.call.generation;
  order_leave(&late, false);
  cr_assert_eq(order_enter(&now), IDEM_OWNED);
  struct order loser = now;
  loser.call.generation = generation;
  cr_expect_eq(order_commit(&loser, "{\"late\":1}"), IDEM_SUPERSEDED);
  cr_expect_neq(loser.error.text[0], '\0');
  cr_assert_eq(order_commit(&now, "{\"now\":1}"), IDEM_STORED);
  order_leave(&now, true);
  cr_assert_eq(order_ask(&now, ""), IDEM_HIT);
  cr_expect_str_eq(now.body, "{\"now\":1}");
}
