/* SPDX-License-Identifier: MIT */
/* What an app does with its multi and its handles at odd moments: it sees what it sees without us, live and
 * in a replay, by perform and by sockets. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(multi_moments, .init = open_world, .fini = close_world, .timeout = 900);

static const char *const loops[] = {"poll", "epoll", "all"};
enum { LOOPS = sizeof loops / sizeof *loops };

/* More than a socket holds. */
static const char large[] = "/v1/chat/completions?mock=size%3D3000000,chunk%3D20000";
static const char small[] = "/v1/chat/completions?mock=size%3D5000,chunk%3D1000";
static const char in_one_piece[] = "/v1/chat/completions?mock=size%3D5000";
static const char slow[] = "/v1/chat/completions?mock=latency_ms%3D300,size%3D5000";

static struct run moment(bool shim, const char *name, const char *loop, const char *target)
{
  struct run run =
      run_argv(&w, shim, (const char *const[]){"multi_edge_cases", name, loop, world_url(&w, target), NULL});
  expect_success(&run);
  strip_checksums(run.out);
  if (!strncmp(name, "reset-", 6))
    strip_one_read(run.out);
  return run;
}

static void expect_the_same(const char *name, const char *loop, const struct run *plain, const char *target)
{
  struct run run = moment(true, name, loop, target);
  cr_expect_str_eq(run.out, plain->out, "%s, %s:\n%sand not\n%s", name, loop, run.out, plain->out);
  cr_expect_str_eq(run.err, plain->err, "%s, %s: %s", name, loop, run.err);
  run_release(&run);
}

/* Without us, live, again, and with IDEMSHIM_DELIVERY=transport for what it does in easy calls. */
static void expect_as_without_us(const char *name, const char *target)
{
  for (int i = 0; i < LOOPS; i++) {
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    world_env(&w, "IDEMSHIM_DELIVERY", "auto");
    struct run plain = moment(false, name, loops[i], target);
    expect_the_same(name, loops[i], &plain, target);
    expect_the_same(name, loops[i], &plain, target);
    world_env(&w, "IDEMSHIM_DELIVERY", "transport");
    expect_the_same(name, loops[i], &plain, target);
    run_release(&plain);
  }
}

Test(multi_moments, an_easy_call_on_a_handle_that_is_in_a_multi)
{
  expect_as_without_us("perform-in-a-multi", small);
}

Test(multi_moments, a_handle_that_is_added_twice)
{
  expect_as_without_us("add-twice", small);
}

Test(multi_moments, a_handle_that_is_added_after_its_end)
{
  expect_as_without_us("add-after-the-end", small);
}

Test(multi_moments, a_multi_that_is_cleaned_up_with_handles_in_it)
{
  expect_as_without_us("clean-the-multi-up", large);
}

Test(multi_moments, a_handle_that_is_cleaned_up_in_its_multi)
{
  expect_as_without_us("clean-the-handle-up", large);
}

Test(multi_moments, a_message_that_goes_with_its_handle)
{
  expect_as_without_us("take-a-message-away", small);
}

Test(multi_moments, a_handle_that_goes_from_multi_to_multi)
{
  expect_as_without_us("move-to-another", large);
}

Test(multi_moments, calls_of_the_multi_from_inside_a_callback)
{
  expect_as_without_us("call-from-inside", small);
}

Test(multi_moments, callbacks_that_are_changed_in_flight)
{
  expect_as_without_us("change-in-flight", large);
}

Test(multi_moments, a_reset_in_flight)
{
  expect_as_without_us("reset-in-flight", large);
}

Test(multi_moments, a_reset_in_an_easy_call)
{
  expect_as_without_us("reset-in-an-easy-call", large);
}

Test(multi_moments, what_goes_on_after_a_reset_in_an_easy_call)
{
  /* libcurl takes what it has not read of an answer in pieces for the beginning of the next. */
  const char *name = "reset-in-an-easy-call-and-go-on";
  struct run plain = moment(false, name, "poll", in_one_piece);
  mock_reset(&w);
  expect_the_same(name, "poll", &plain, in_one_piece);
  expect_the_same(name, "poll", &plain, in_one_piece);
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  expect_the_same(name, "poll", &plain, in_one_piece);
  /* Before, the first is not stored, and what goes on is a GET, which no rule wants. */
  int requests = libcurl_version() < 0x081600 ? 6 : 2;
  cr_expect_eq(mock_count(&w).requests, requests, "%ld", mock_count(&w).requests);
  run_release(&plain);
}

Test(multi_moments, a_large_answer_with_pauses_and_a_small_buffer)
{
  expect_as_without_us("pause-often", large);
}

Test(multi_moments, a_copy_that_is_made_in_flight)
{
  expect_as_without_us("copy-in-flight", large);
}

Test(multi_moments, a_body_that_the_app_refuses)
{
  expect_as_without_us("refuse-the-body", small);
}

static void expect_requests_without_the_owner(long requests)
{
  for (int i = 0; i < LOOPS; i++) {
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    struct run plain = moment(false, "remove-the-owner", loops[i], slow);
    mock_reset(&w);
    expect_the_same("remove-the-owner", loops[i], &plain, slow);
    cr_expect_eq(mock_count(&w).requests, requests);
    expect_the_same("remove-the-owner", loops[i], &plain, slow);
    cr_expect_eq(mock_count(&w).requests, requests);
    run_release(&plain);
  }
}

/* The call that was taken away, and the one that took over. */
Test(multi_moments, an_owner_that_is_removed_before_its_end)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=off");
  expect_requests_without_the_owner(2);
}

Test(multi_moments, an_owner_that_is_removed_and_rescued)
{
  expect_requests_without_the_owner(1);
}

Test(multi_moments, a_handle_that_is_removed_before_its_first_turn)
{
  for (int i = 0; i < LOOPS; i++) {
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    struct run plain = moment(false, "remove-before-the-first-turn", loops[i], slow);
    mock_reset(&w);
    expect_the_same("remove-before-the-first-turn", loops[i], &plain, slow);
    cr_expect_eq(mock_count(&w).requests, 2, "%ld: it was never to be sent", mock_count(&w).requests);
    run_release(&plain);
  }
}

/* Each takes over from the one before, which has failed, and has the connection for itself. */
Test(multi_moments, calls_that_follow_each_other_on_one_connection)
{
  const char *failing = "/v1/chat/completions?mock=status%3D500";
  for (int i = 0; i < LOOPS; i++) {
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    mock_reset(&w);
    struct run plain = moment(false, "share-one-connection", loops[i], failing);
    cr_expect_eq(mock_count(&w).requests, 3);
    mock_reset(&w);
    expect_the_same("share-one-connection", loops[i], &plain, failing);
    cr_expect_eq(mock_count(&w).requests, 3, "%s: %ld", loops[i], mock_count(&w).requests);
    run_release(&plain);
  }
}

/* Path and body of each request so far, oldest first. */
static char *requests_so_far(void)
{
  json_t *requests = mock_requests(&w), *request, *seen = json_array();
  size_t i;
  json_array_foreach(requests, i, request)
  {
    json_array_append(seen, json_object_get(request, "path"));
    json_array_append(seen, json_object_get(request, "body"));
  }
  char *text = json_dumps(seen, JSON_INDENT(1));
  json_decref(requests);
  json_decref(seen);
  return text;
}

static void expect_no_key_twice(void)
{
  json_t *requests = mock_requests(&w), *request, *seen = json_object();
  size_t i;
  json_array_foreach(requests, i, request)
  {
    const char *key = mock_header(request, "idempotency-key");
    cr_expect(!key || !json_object_get(seen, key), "%zu: %s", i, key);
    if (key)
      json_object_set_new(seen, key, json_true());
  }
  json_decref(requests);
  json_decref(seen);
}

/* Neither the answer nor the key of the call that the handle was when it was added is this one's. */
Test(multi_moments, options_that_are_set_between_the_adding_and_the_first_turn)
{
  const char *name = "change-before-the-first-turn";
  for (int i = 0; i < LOOPS; i++) {
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    mock_reset(&w);
    struct run plain = moment(false, name, loops[i], small);
    char *without = requests_so_far();
    mock_reset(&w);
    expect_the_same(name, loops[i], &plain, small);
    char *with = requests_so_far();
    cr_expect_str_eq(with, without, "%s: %s", loops[i], with);
    expect_no_key_twice();
    expect_the_same(name, loops[i], &plain, small);
    cr_expect_eq(mock_count(&w).requests, 5, "%s: %ld", loops[i], mock_count(&w).requests);
    free(with);
    free(without);
    run_release(&plain);
  }
}

/* Older ones of libcurl write the count through the pointer: the first run is ours then. */
Test(multi_moments, an_app_that_does_not_ask_how_many_run)
{
  static const char *const turns[] = {"poll", "all"};
  for (int i = 0; i < 2; i++) {
    world_env(&w, "IDEMSHIM_SCOPE", "%s", turns[i]);
    struct run first = moment(libcurl_version() < 0x080901, "never-ask-how-many", turns[i], small);
    expect_the_same("never-ask-how-many", turns[i], &first, small);
    expect_the_same("never-ask-how-many", turns[i], &first, small);
    run_release(&first);
  }
  cr_expect_geq(log_events(&w, "hit"), 2);
}

/* The parent's feeder waits for the time of the next chunk; the child needs one of its own. */
Test(multi_moments, a_fork_while_replays_wait_for_their_time)
{
  if (is_under_thread_sanitizer())
    cr_skip_test("the thread sanitizer allows no thread after such a fork");
  const char *target =
      world_text(&w, "%s", "/v1/chat/completions?mock=size%3D5000,chunk%3D1000,chunk_delay_ms%3D40");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 pace=original");
  struct run plain = moment(false, "fork-while-waiting", "poll", target);
  mock_reset(&w);
  for (int i = 0; i < LOOPS; i++)
    expect_the_same("fork-while-waiting", loops[i], &plain, target);
  cr_expect_eq(mock_count(&w).requests, 2, "%ld", mock_count(&w).requests);
  run_release(&plain);
}

/* The child makes a call that its parent has under way, and follows it. */
Test(multi_moments, a_fork_in_flight)
{
  for (int i = 0; i < LOOPS; i++) {
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    struct run plain = moment(false, "fork-in-flight", loops[i], slow);
    mock_reset(&w);
    expect_the_same("fork-in-flight", loops[i], &plain, slow);
    expect_the_same("fork-in-flight", loops[i], &plain, slow);
    cr_expect_eq(mock_count(&w).requests, 2, "%ld", mock_count(&w).requests);
    run_release(&plain);
  }
}
