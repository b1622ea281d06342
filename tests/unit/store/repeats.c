/* SPDX-License-Identifier: MIT */
/* What an identical call means: repeats=sequence and repeats=fresh. */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct shop shop;

static void open_sequence(void)
{
  shop_open(&shop, "repeats=sequence");
}

static void open_fresh(void)
{
  shop_open(&shop, "repeats=fresh");
}

static void close_shop(void)
{
  shop_close(&shop);
}

TestSuite(store_sequence, .init = open_sequence, .fini = close_shop);
TestSuite(store_fresh, .init = open_fresh, .fini = close_shop);

/* The store's process-wide counts start again with a new process: this is one, with `calls` identical calls.
 * Returns how many were sent. */
static int run_of(int calls, int delivered_until)
{
  int pipes[2], sent = 0;
  cr_assert_eq(pipe(pipes), 0);
  if (fork() == 0) {
    struct idem_error error;
    shop_reopen(&shop, &error);
    for (int i = 0; i < calls; i++) {
      char answer[32];
      struct order order = order_of(&shop, "{}");
      snprintf(answer, sizeof(answer), "{\"n\":%d}", i);
      if (order_enter(&order) == IDEM_OWNED) {
        sent++;
        if (i >= delivered_until)
          _exit(write(pipes[1], &sent, sizeof(sent)) != sizeof(sent));
        order_commit(&order, answer);
      } else if (order.call.answer.body.len != strlen(answer) ||
                 memcmp(order.call.answer.body.data, answer, strlen(answer)) != 0) {
        sent = -1000;
      }
      order_leave(&order, true);
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
  struct order order = order_of(&shop, "{}");
  char first[IDEM_ID_SIZE];

  cr_assert_eq(order_ask(&order, "{\"n\":0}"), IDEM_OWNED);
  cr_expect_eq(order.call.sequence, 0);
  memcpy(first, order.call.id, sizeof(first));
  cr_assert_eq(order_ask(&order, "{\"n\":1}"), IDEM_OWNED);
  cr_expect_eq(order.call.sequence, 1);
  cr_expect_str_neq(order.call.id, first);
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
  struct order a = order_of(&shop, "{}"), b = a, c = a;

  cr_assert_eq(order_enter(&a), IDEM_OWNED);
  cr_assert_eq(order_enter(&b), IDEM_OWNED);
  cr_assert_eq(order_enter(&c), IDEM_OWNED);
  cr_expect_eq(a.call.sequence + b.call.sequence * 10 + c.call.sequence * 100, 210);
  char upstream_key[37];
  memcpy(upstream_key, a.call.upstream_key, sizeof(upstream_key));
  order_leave(&b, false);
  order_leave(&a, false);
  struct order again = order_of(&shop, "{}");
  cr_assert_eq(order_enter(&again), IDEM_OWNED);
  cr_expect_eq(again.call.sequence, 0);
  cr_expect_str_eq(again.call.upstream_key, upstream_key);
  order_leave(&again, true);
  order_leave(&c, true);
  struct order next = order_of(&shop, "{}");
  order_enter(&next);
  cr_expect_eq(next.call.sequence, 1);
  order_leave(&next, true);
  next.call = (struct idem_call)IDEM_CALL_INIT;
  order_enter(&next);
  cr_expect_eq(next.call.sequence, 3);
  order_leave(&next, true);
}

Test(store_sequence, a_number_is_kept_over_the_rounds_of_a_call)
{
  struct order owner = order_of(&shop, "{}"), follower = owner;
  int owned[2], go[2], status;
  char byte = 0;

  cr_assert_eq(pipe(owned) + pipe(go), 0);
  pid_t child = fork();
  if (child == 0) {
    close(go[1]);
    bool first = order_enter(&owner) == IDEM_OWNED && write(owned[1], &byte, 1) == 1;
    _exit(!first || read(go[0], &byte, 1) != 0 || order_commit(&owner, "{}") != IDEM_STORED);
  }
  close(go[0]);
  cr_assert_eq(read(owned[0], &byte, 1), 1);
  for (int round = 0; round < 3; round++) {
    cr_assert_eq(order_enter(&follower), IDEM_BUSY);
    cr_expect_eq(follower.call.sequence, 0);
    order_leave(&follower, false);
  }
  close(go[1]);
  waitpid(child, &status, 0);
  cr_assert_eq(status, 0);
  cr_assert_eq(order_enter(&follower), IDEM_HIT);
  cr_expect_eq(follower.call.sequence, 0);
  order_leave(&follower, true);
}

Test(store_fresh, once_delivered_an_identical_call_is_a_new_sample)
{
  struct order order = order_of(&shop, "{}");
  for (uint32_t i = 0; i < 5; i++) {
    cr_assert_eq(order_ask(&order, "{}"), IDEM_OWNED);
    cr_expect_eq(order.call.sequence, i);
  }
}

static void ask_undelivered(struct order *order, const char *answer)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, JSON_HEADERS, answer);

  recording.delivered = false;
  order->call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(order_enter(order), IDEM_OWNED);
  cr_assert_eq(
      idem_store_commit(order->shop->store, &order->call, &order->request, &recording, &order->error),
      IDEM_STORED);
  order_leave(order, false);
}

Test(store_fresh, an_answer_that_did_not_arrive_is_given_to_the_retry_once)
{
  struct order order = order_of(&shop, "{}");

  ask_undelivered(&order, "{\"n\":0}");
  cr_assert_eq(order_ask(&order, ""), IDEM_HIT);
  cr_expect_str_eq(order.body, "{\"n\":0}");
  cr_expect_eq(order_ask(&order, "{}"), IDEM_OWNED);
}

Test(store_fresh, a_replay_that_broke_off_is_given_again)
{
  struct order order = order_of(&shop, "{}");

  ask_undelivered(&order, "{\"n\":0}");
  order.call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(order_enter(&order), IDEM_HIT);
  order_leave(&order, false);
  cr_expect_eq(order_ask(&order, ""), IDEM_HIT);
  cr_expect_eq(order_ask(&order, "{}"), IDEM_OWNED);
}

Test(store_fresh, calls_at_once_are_different_samples)
{
  struct order a = order_of(&shop, "{}"), b = a;

  cr_assert_eq(order_enter(&a), IDEM_OWNED);
  cr_assert_eq(order_enter(&b), IDEM_OWNED);
  cr_expect_neq(a.call.sequence, b.call.sequence);
  cr_assert_eq(order_commit(&b, "{}"), IDEM_STORED);
  order_leave(&b, true);
  order_leave(&a, false);
  struct order c = order_of(&shop, "{}");
  cr_assert_eq(order_enter(&c), IDEM_OWNED);
  cr_expect_eq(c.call.sequence, a.call.sequence, "the one that came to nothing");
  order_leave(&c, false);
}

Test(store_fresh, a_call_in_doubt_is_resent_first)
{
  struct order order = order_of(&shop, "{}");
  int status;

  order_ask(&order, "{}");
  if (fork() == 0)
    _exit(order_enter(&order) != IDEM_OWNED);
  wait(&status);
  cr_assert_eq(status, 0);
  order.call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(order_enter(&order), IDEM_OWNED);
  cr_expect(order.call.resent);
  cr_expect_eq(order.call.sequence, 1);
  order_leave(&order, false);
}
