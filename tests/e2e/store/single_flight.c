/* SPDX-License-Identifier: MIT */
/* One owner for each key at a time: over threads, over processes, and over the owner's death. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(single_flight, .init = open_world, .fini = close_world);

enum { PROCESSES = 32, THREADS = 8 };

static const char body[] = "{\"model\":\"m\",\"messages\":[]}";

Test(single_flight, thirty_two_processes_of_eight_threads_make_one_call, .timeout = 120)
{
  struct run runs[PROCESSES];
  char url[128];
  snprintf(url, sizeof(url), "%s", world_url(&w, "/v1/chat/completions?mock=latency_ms%3D1500"));
  for (int i = 0; i < PROCESSES; i++)
    runs[i] = start_shim(&w, "stampede", "8", url, body, NULL);
  int lines = 0;
  for (int i = 0; i < PROCESSES; i++) {
    run_wait(&runs[i]);
    expect_success(&runs[i]);
    lines += count_of(runs[i].out, "\n");
    expect_same_bytes("what each process got", runs[0].out, runs[0].out_len, runs[i].out, runs[i].out_len);
  }
  cr_expect_eq(lines, PROCESSES * THREADS);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(log_events(&w, "stored"), 1);
  cr_expect_eq(log_events(&w, "hit") + log_events(&w, "join"), PROCESSES * THREADS - 1);
  for (int i = 0; i < PROCESSES; i++)
    run_release(&runs[i]);
}

/* µs of wall clock between two events of the log, from their "time". */
static double seconds_of(json_t *event)
{
  const char *time = json_string_value(json_object_get(event, "time"));
  const char *clock = strchr(time, 'T') + 1;
  return atof(clock) * 3600 + atof(clock + 3) * 60 + atof(clock + 6);
}

Test(single_flight, when_the_owner_is_killed_one_follower_takes_over, .timeout = 120)
{
  enum { FOLLOWERS = 12 };
  struct run followers[FOLLOWERS];
  const char *url = world_url(&w, "/v1/chat/completions");
  mock_default(&w, "latency_ms=20000");
  struct run owner = start_shim(&w, "curl", "-sS", CURL_JSON(body), url, NULL);
  wait_until(mock_count(&w).requests == 1);
  for (int i = 0; i < FOLLOWERS; i++)
    followers[i] = start_shim(&w, "curl", "-sS", CURL_JSON(body), url, NULL);
  for (int i = 0; i < FOLLOWERS; i++)
    wait_until(run_sleeps_on_a_futex(followers[i].pid));
  mock_default(&w, "latency_ms=100");
  run_signal(&owner, SIGKILL);
  run_wait(&owner);
  for (int i = 0; i < FOLLOWERS; i++) {
    run_wait(&followers[i]);
    expect_success(&followers[i]);
    cr_expect_str_eq(followers[i].out, followers[0].out);
  }
  cr_expect_eq(mock_count(&w).requests, 2, "%ld", mock_count(&w).requests);
  cr_expect_eq(log_events(&w, "in_doubt"), 1);
  json_t *requests = mock_requests(&w);
  const char *first_key = mock_header(json_array_get(requests, 0), "Idempotency-Key");
  const char *second_key = mock_header(json_array_get(requests, 1), "Idempotency-Key");
  cr_assert(first_key && second_key);
  cr_expect_str_eq(first_key, second_key);
  json_decref(requests);
  run_release(&owner);
  for (int i = 0; i < FOLLOWERS; i++)
    run_release(&followers[i]);
}

static double seconds_until_noticed(int attempt)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  world_env(&w, "IDEMSHIM_SCOPE", "%d", attempt);
  mock_reset(&w);
  mock_default(&w, "latency_ms=20000");
  struct run owner = start_shim(&w, "curl", "-sS", CURL_JSON(body), url, NULL);
  wait_until(mock_count(&w).requests == 1);
  struct run follower = start_shim(&w, "curl", "-sS", CURL_JSON(body), url, NULL);
  wait_until(run_sleeps_on_a_futex(follower.pid));
  mock_default(&w, "latency_ms=0");
  struct timespec killed;
  run_signal(&owner, SIGKILL);
  clock_gettime(CLOCK_REALTIME, &killed);
  run_wait(&follower);
  json_t *taken = log_last(&w, "in_doubt");
  cr_assert_not_null(taken);
  cr_expect_eq(log_events(&w, "in_doubt"), attempt);
  double delay = seconds_of(taken) - ((double)(killed.tv_sec % 86400) + (double)killed.tv_nsec / 1e9);
  json_decref(taken);
  run_wait(&owner);
  run_release(&owner);
  run_release(&follower);
  return delay;
}

/* Once in three times: on a busy machine it is not always the follower's turn. */
Test(single_flight, a_killed_owner_is_noticed_within_200_ms, .timeout = 120)
{
  double delay = 1;
  for (int attempt = 1; attempt <= 3 && delay >= 0.2; attempt++)
    delay = seconds_until_noticed(attempt);
  cr_expect_lt(delay, 0.2, "it took %.0f ms", delay * 1000);
}

Test(single_flight, a_follower_keeps_the_app_s_timeout)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D20000");
  struct run owner = start_shim(&w, "curl", "-sS", CURL_JSON(body), url, NULL);
  wait_until(mock_count(&w).requests == 1);
  struct run follower = run_shim(&w, "curl", "-sS", "-m", "0.5", CURL_JSON(body), "-w",
                                 "%{http_code} %{size_download}", url, NULL);
  cr_expect_eq(follower.status, 28, "%d", follower.status);
  const char *why = strstr(follower.err, "Operation timed out after ");
  int ms = why ? atoi(why + strlen("Operation timed out after ")) : 0;
  cr_expect(ms >= 500 && ms < 20000, "%s", follower.err);
  cr_expect_str_eq(follower.out, "000 0");
  cr_expect_eq(mock_count(&w).requests, 1);
  run_signal(&owner, SIGKILL);
  run_wait(&owner);
  run_release(&owner);
  run_release(&follower);
}

Test(single_flight, wait_bounds_how_long_a_follower_waits)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 wait=300ms");
  const char *url = world_url(&w, "/v1/chat/completions");
  mock_default(&w, "latency_ms=20000");
  struct run owner = start_shim(&w, "curl", "-sS", CURL_JSON(body), url, NULL);
  wait_until(mock_count(&w).requests == 1);
  mock_default(&w, "latency_ms=0");
  struct run follower = run_shim(&w, "curl", "-sS", CURL_JSON(body), url, NULL);
  expect_success(&follower);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect(log_contains(&w, "\"reason\":\"wait\""));
  run_signal(&owner, SIGKILL);
  run_wait(&owner);
  run_release(&owner);
  run_release(&follower);
}

Test(single_flight, a_failed_owner_hands_on_to_the_next)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D300,fail_first%3D1:500");
  struct run a = start_shim(&w, "curl", "-sS", CURL_JSON(body), url, NULL);
  wait_until(mock_count(&w).requests == 1);
  struct run b = run_shim(&w, "curl", "-sS", CURL_JSON(body), url, NULL);
  run_wait(&a);
  cr_expect(strstr(a.out, "error"), "%s", a.out);
  cr_expect(strstr(b.out, "chat.completion"), "%s", b.out);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&a);
  run_release(&b);
}
