/* SPDX-License-Identifier: MIT */
/* What an identical call means: repeats=sequence and repeats=fresh. */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
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
