/* SPDX-License-Identifier: MIT */
/* The multi interface: hits, misses and followers under every loop that programs drive it with. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(multi, .init = open_world, .fini = close_world, .timeout = 180);

static const char *const loops[] = {"poll", "wait", "fdset", "sleep", "epoll", "all"};
enum { LOOPS = sizeof loops / sizeof *loops };

static const char a[] = "{\"prompt\":\"a\"}", b[] = "{\"prompt\":\"b\"}";

static const char *chat(const char *script)
{
  return world_url(&w, world_text(&w, "/v1/chat/completions?mock=%s", script));
}

/* What the line of this call says from "rc=" on. */
static const char *line_of(const struct run *run, int call, char room[128])
{
  char name[24];
  snprintf(name, sizeof name, "call-%d ", call);
  const char *line = strstr(run->out, name);
  cr_assert_not_null(line, "call %d has not ended: %s%s", call, run->out, run->err);
  snprintf(room, 128, "%.*s", (int)strcspn(line, "\n") - (int)strlen(name), line + strlen(name));
  return room;
}

static void expect_same_answer(const struct run *one, int call, const struct run *other, int other_call)
{
  char room[128], other_room[128];
  cr_expect_str_eq(line_of(one, call, room), line_of(other, other_call, other_room), "calls %d and %d", call,
                   other_call);
}

static void expect_line(const struct run *run, int call, const char *start)
{
  char room[128];
  cr_expect(strncmp(line_of(run, call, room), start, strlen(start)) == 0, "call %d: %s", call, room);
}

static void expect_requests(long expected)
{
  long requests = mock_count(&w).requests;
  cr_expect_eq(requests, expected, "%ld requests", requests);
}

Test(multi, identical_calls_of_one_multi_are_sent_once)
{
  for (int i = 0; i < LOOPS; i++) {
    mock_reset(&w);
    char url[160];
    snprintf(url, sizeof url, "%s", chat(world_text(&w, "latency_ms%%3D50,size%%3D%d", 1000 + i)));
    struct run first = run_shim(&w, "multi_calls", loops[i], "1", url, a, b, a, b, a, NULL);
    struct run again = run_shim(&w, "multi_calls", loops[i], "1", url, b, a, NULL);
    expect_success(&first);
    expect_success(&again);
    expect_same_answer(&first, 0, &first, 2);
    expect_same_answer(&first, 0, &first, 4);
    expect_same_answer(&first, 1, &first, 3);
    expect_same_answer(&first, 0, &again, 1);
    expect_same_answer(&first, 1, &again, 0);
    expect_requests(2);
    run_release(&first);
    run_release(&again);
  }
  cr_expect_eq(log_events(&w, "join"), 3 * LOOPS);
  cr_expect_eq(log_events(&w, "hit"), 2 * LOOPS);
}

/* Each in its own multi, in turn: neither waits for the other, which it would have to carry on itself. */
Test(multi, identical_calls_of_two_multis_of_a_thread_do_not_wait_for_each_other)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 wait=progress");
  struct run run = run_shim(&w, "multi_calls", "poll", "2", chat("latency_ms%3D50"), a, a, NULL);
  expect_success(&run);
  expect_requests(2);
  cr_expect(log_contains(&w, "the same call is under way in this thread"));
  run_release(&run);
}

Test(multi, different_calls_of_two_multis_of_a_thread)
{
  struct run run = run_shim(&w, "multi_calls", "epoll", "2", chat("latency_ms%3D50"), a, b, a, b, NULL);
  expect_success(&run);
  expect_same_answer(&run, 0, &run, 2);
  expect_same_answer(&run, 1, &run, 3);
  expect_requests(2);
  run_release(&run);
}

static struct run start_owner(const char *url, int requests)
{
  struct run owner = start_shim(&w, "multi_calls", "poll", "1", url, a, NULL);
  wait_until(mock_count(&w).requests == requests);
  return owner;
}

Test(multi, identical_calls_of_two_processes_are_sent_once)
{
  char url[160];
  snprintf(url, sizeof url, "%s", chat("latency_ms%3D500"));
  for (int i = 0; i < LOOPS; i++) {
    mock_reset(&w);
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    struct run owner = start_owner(url, 1);
    struct run followers = run_shim(&w, "multi_calls", loops[i], "1", url, a, a, NULL);
    run_wait(&owner);
    expect_success(&owner);
    expect_success(&followers);
    expect_same_answer(&owner, 0, &followers, 0);
    expect_same_answer(&owner, 0, &followers, 1);
    expect_requests(1);
    run_release(&owner);
    run_release(&followers);
  }
}

/* multi_calls fails where libcurl's count of running transfers tells the app that something happened. */
Test(multi, when_the_owner_fails_a_follower_goes_live_without_the_app_noticing)
{
  for (int i = 0; i < LOOPS; i++) {
    mock_reset(&w);
    const char *url = chat(world_text(&w, "fail_first%%3D1:500,latency_ms%%3D50,size%%3D%d", 1000 + i));
    struct run run = run_shim(&w, "multi_calls", loops[i], "1", url, a, a, a, a, NULL);
    expect_success(&run);
    expect_line(&run, 0, "rc=0 status=500");
    cr_expect_eq(count_of(run.out, "status=200"), 3, "%s", run.out);
    expect_requests(2);
    run_release(&run);
  }
  cr_expect_eq(log_events(&w, "join"), 2 * LOOPS);
}

Test(multi, when_every_owner_fails_they_go_live_one_after_the_other)
{
  struct run run = run_shim(&w, "multi_calls", "epoll", "1", chat("status%3D500"), a, a, a, NULL);
  expect_success(&run);
  cr_expect_eq(count_of(run.out, "status=500"), 3, "%s", run.out);
  expect_requests(3);
  cr_expect_eq(log_events(&w, "live"), 3);
  run_release(&run);
}

/* Each end of an owner wakes one of those who wait for it, which is an event of its socket. If it woke all of
 * them, these 200 calls would have 20,100 events. */
Test(multi, waiting_for_owners_that_fail_is_not_quadratic)
{
  world_env(&w, "TIMES", "200");
  world_env(&w, "IDEMSHIM_HOSTS", "127.0.0.1:1");
  struct run run =
      run_shim(&w, "multi_calls", "epoll", "1", "http://127.0.0.1:1/v1/chat/completions", a, NULL);
  cr_expect_eq(count_of(run.out, "rc=7 status=0"), 200);
  const char *events = strstr(run.out, "events=");
  cr_expect(events && atoi(events + strlen("events=")) < 1000, "%s", events);
  cr_expect_eq(log_events(&w, "live"), 200);
  run_release(&run);
}

/* Under a libcurl that does not take a handle in for the n-th time. */
static struct run run_with_failing_add(const char *time, const char *loop, const char *url, const char *first,
                                       const char *second)
{
  const char *preload =
      world_text(&w, "LD_PRELOAD=\"$LD_PRELOAD %s/tests/failing_add.so\" exec \"$@\"", w.build);
  world_env(&w, "FAIL_ADD", "%s", time);
  world_env(&w, "IDEMSHIM_HOOK_DL", "off");
  return run_shim(&w, "sh", "-c", preload, "sh", world_text(&w, "%s/tests/multi_calls", w.build), loop, "1",
                  url, first, second, NULL);
}

/* The owner fails, and its follower cannot be put into the multi again. */
Test(multi, a_call_that_is_taken_out_for_good_ends_with_a_message)
{
  for (int i = 0; i < LOOPS; i++) {
    mock_reset(&w);
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    struct run run = run_with_failing_add("3", loops[i], chat("fail_first%3D1:500"), a, a);
    cr_expect(!run.timed_out);
    expect_line(&run, 0, "rc=0 status=500");
    expect_line(&run, 1, "rc=27 status=0");
    cr_expect(!strstr(run.out, "running") && !strstr(run.out, "messages"), "%s", run.out);
    cr_expect(log_contains(&w, "could not be put in again"));
    expect_requests(1);
    run_release(&run);
  }
}

/* The same where its body has been read, before its first turn. What the second one claims is free again. */
Test(multi, a_call_that_is_taken_out_to_be_read_ends_with_a_message)
{
  world_env(&w, "READ", "1");
  for (int i = 0; i < LOOPS; i++) {
    mock_reset(&w);
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    struct run run = run_with_failing_add("3", loops[i], chat(""), a, b);
    cr_expect(!run.timed_out);
    cr_expect_eq(count_of(run.out, "rc=27 status=0"), 1, "%s", run.out);
    cr_expect_eq(count_of(run.out, "rc=0 status=200"), 1, "%s", run.out);
    cr_expect(!strstr(run.out, "running") && !strstr(run.out, "messages"), "%s", run.out);
    expect_requests(1);
    struct run again = run_shim(&w, "multi_calls", loops[i], "1", chat(""), a, b, NULL);
    expect_success(&again);
    expect_requests(2);
    run_release(&run);
    run_release(&again);
  }
  cr_expect_eq(log_events(&w, "in_doubt"), 0);
}

/* Who drives the multi now is asked, and not who has added the handle. */
Test(multi, a_multi_that_goes_from_thread_to_thread)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 wait=progress");
  struct run run = run_shim(&w, "handed_over", chat("latency_ms%3D500"), a, NULL);
  expect_success(&run);
  cr_expect(!run.timed_out);
  cr_expect_eq(count_of(run.out, "rc=0 status=200"), 3, "%s", run.out);
  cr_expect_eq(log_events(&w, "join"), 1, "its first thread does not drive it any more, and waits");
  cr_expect(log_contains(&w, "the same call is under way in this thread"));
  expect_requests(2);
  run_release(&run);
}

Test(multi, when_the_owner_is_killed_a_follower_takes_over)
{
  char url[160];
  snprintf(url, sizeof url, "%s", chat("gate%3Dg,gate_first%3D1"));
  for (int i = 0; i < LOOPS; i++) {
    mock_reset(&w);
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    struct run owner = start_owner(url, 1);
    struct run followers = start_shim(&w, "multi_calls", loops[i], "1", url, a, a, NULL);
    run_signal(&owner, SIGKILL);
    run_wait(&owner);
    mock_open(&w, "g");
    run_wait(&followers);
    expect_success(&followers);
    expect_same_answer(&followers, 0, &followers, 1);
    expect_requests(2);
    run_release(&owner);
    run_release(&followers);
  }
}

Test(multi, a_follower_has_the_app_s_own_timeout)
{
  const char *url = chat("gate%3Dg,gate_first%3D1");
  for (int i = 0; i < LOOPS; i++) {
    mock_reset(&w);
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    world_env(&w, "TIMEOUT_MS", "300");
    struct run run = start_shim(&w, "multi_calls", loops[i], "1", url, a, a, NULL);
    wait_until((run_look(&run), strstr(run.out, "call-1 ")));
    mock_open(&w, "g");
    run_wait(&run);
    cr_expect_eq(run.status, 1, "%s", run.out);
    expect_line(&run, 0, "rc=0 status=200");
    expect_line(&run, 1, "rc=28 status=0");
    /* A replay is no matter of time. */
    world_env(&w, "TIMEOUT_MS", "30000");
    struct run again = run_shim(&w, "multi_calls", loops[i], "1", url, a, a, NULL);
    expect_success(&again);
    expect_same_answer(&again, 1, &run, 0);
    expect_requests(1);
    run_release(&run);
    run_release(&again);
  }
}

Test(multi, a_follower_waits_no_longer_than_the_rule_says)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 wait=200ms");
  struct run run = start_shim(&w, "multi_calls", "epoll", "1", chat("gate%3Dg,gate_first%3D1"), a, a, NULL);
  wait_until(mock_count(&w).requests == 2);
  mock_open(&w, "g");
  run_wait(&run);
  expect_success(&run);
  expect_requests(2);
  cr_expect(log_contains(&w, "\"reason\":\"wait\""));
  run_release(&run);
}

Test(multi, a_key_with_another_content_is_rejected)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 key=header mismatch=reject");
  world_env(&w, "HEADER", "Idempotency-Key: test-key");
  struct run first = run_shim(&w, "multi_calls", "poll", "1", chat(""), a, NULL);
  struct run second = run_shim(&w, "multi_calls", "epoll", "1", chat(""), b, a, NULL);
  expect_success(&first);
  expect_success(&second);
  expect_line(&second, 0, "rc=0 status=422");
  expect_same_answer(&first, 0, &second, 1);
  expect_requests(1);
  run_release(&first);
  run_release(&second);
}

Test(multi, a_call_in_doubt_is_refused_where_the_rule_says_so)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail");
  mock_default(&w, "latency_ms=60000");
  struct run owner = start_owner(chat(""), 1);
  run_signal(&owner, SIGKILL);
  run_wait(&owner);
  struct run run = run_shim(&w, "multi_calls", "epoll", "1", chat(""), a, NULL);
  expect_success(&run);
  expect_line(&run, 0, "rc=0 status=409");
  expect_requests(1);
  run_release(&owner);
  run_release(&run);
}

/* Replays take the one connection in turn, too. */
Test(multi, with_one_connection_for_all_every_call_ends)
{
  const char *url = chat("latency_ms%3D20");
  world_env(&w, "LIMIT", "1");
  for (int i = 0; i < LOOPS; i++) {
    struct run run = run_shim(&w, "multi_calls", loops[i], "1", url, a, b, a, b, a, NULL);
    expect_success(&run);
    run_release(&run);
  }
  expect_requests(2);
}

Test(multi, a_replay_has_the_pace_of_the_live_call)
{
  const char *url = chat("chunk%3D500,size%3D2000,chunk_delay_ms%3D60");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 pace=original");
  struct run live = run_shim(&w, "multi_calls", "poll", "1", url, a, NULL);
  for (int i = 0; i < LOOPS; i++) {
    struct run run = run_shim(&w, "multi_calls", loops[i], "1", url, a, a, NULL);
    expect_success(&run);
    expect_same_answer(&run, 0, &live, 0);
    expect_same_answer(&run, 1, &live, 0);
    cr_expect_geq(run.ms, 150, "%s: %ld ms", loops[i], (long)run.ms);
    run_release(&run);
  }
  expect_requests(1);
  run_release(&live);
}

/* Each call of ours has a descriptor more, and the app's own calls need theirs. */
Test(multi, no_call_fails_for_want_of_descriptors)
{
  char script[512];
  snprintf(script, sizeof script, "ulimit -n 256; exec multi_calls poll 1 '%s' $(seq 160)",
           chat("latency_ms%3D50"));
  struct run plain = run_shell_plain(&w, script), run = run_shell(&w, script);
  expect_success(&plain);
  expect_success(&run);
  cr_expect_eq(count_of(run.out, "status=200"), 160);
  cr_expect_gt(log_events(&w, "stored"), 20);
  cr_expect(log_contains(&w, "a quarter of all descriptors"));
  run_release(&plain);
  run_release(&run);
}

/* As 2,000 connections do of 8,192. */
Test(multi, calls_that_use_a_quarter_of_the_descriptors_are_all_ours)
{
  char script[512];
  snprintf(script, sizeof script, "ulimit -n 1024; exec multi_calls poll 1 '%s' $(seq 230)",
           chat("latency_ms%3D50"));
  struct run run = run_shell(&w, script);
  expect_success(&run);
  cr_expect_eq(log_events(&w, "stored"), 230);
  run_release(&run);
}

/* Who is refused by upstream, or has no place, is not rescued. */
static void tell_rescues(void)
{
  wait_until(world_orphans(&w) == 0);
  cr_log_info("%d given up to copies, %d rescued, %d not rescued, %d in doubt", log_events(&w, "rescue"),
              log_events(&w, "rescued"), log_events(&w, "bypass"), log_events(&w, "in_doubt"));
  cr_expect_gt(log_events(&w, "rescued"), 0);
}

/* Copies of the process finish what is taken away; fewer handles, since each copy is a process. */
Test(multi, hundreds_of_handles_under_stress_with_rescue, .timeout = 300)
{
  /* What the mock is told is no part of a call. */
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 vary=*,-X-Mock");
  struct run run = run_shim(&w, "multi_stress", world_url(&w, "/v1/chat/completions"), "200", "2", "2", NULL);
  expect_success(&run);
  cr_log_info("%s", run.out);
  tell_rescues();
  run_release(&run);
}

/* Every call that is taken away goes to a copy of the process; 1024 at once is what the store allows. */
static bool stress_rescues(void)
{
  const char *rescue = getenv("IDEMSHIM_STRESS_RESCUE");
  bool rescues = rescue && strcmp(rescue, "on") == 0;
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 vary=*,-X-Mock %s", rescues ? "" : "rescue=off");
  world_env(&w, "IDEMSHIM_RESCUES", "1024");
  return rescues;
}

/* Some of the handles have a timeout of a millisecond or two, which lets the store wait for 50 ms. What is
 * written a little later is not lost. */
static void expect_only_late_writes_failed(void)
{
  size_t len;
  char *log = file_read(w.log, &len);
  for (char *line = log ? strtok(log, "\n") : NULL; line; line = strtok(NULL, "\n"))
    if (strstr(line, "\"event\":\"store_error\""))
      cr_expect(strstr(line, "the call's timeout leaves no time to wait for it") ||
                    strstr(line, "(the answer is stored when that goes on)"),
                "%s", line);
  free(log);
}

/* A short one, unless IDEMSHIM_STRESS_SECONDS says otherwise; `make stress`. */
Test(multi, a_thousand_handles_under_stress, .timeout = 600)
{
  const char *seconds = getenv("IDEMSHIM_STRESS_SECONDS"), *seed = getenv("IDEMSHIM_STRESS_SEED");
  bool rescues = stress_rescues();
  struct run run = run_shim(&w, "multi_stress", world_url(&w, "/v1/chat/completions"), "1000",
                            seconds ? seconds : "3", seed ? seed : "1", NULL);
  unsigned live = 0, failed = 0;
  const char *counts = strstr(run.out, "live=");
  expect_success(&run);
  cr_assert(counts && sscanf(counts, "live=%u failed=%u", &live, &failed) == 2, "%s", run.out);
  cr_log_info("%s", run.out);
  long requests = mock_count(&w).requests;
  cr_expect_geq(requests, (long)(live + failed), "%ld", requests);
  expect_only_late_writes_failed();
  if (rescues)
    tell_rescues();
  else
    cr_expect_eq(log_events(&w, "bypass"), 0);
  run_release(&run);
}
