/* SPDX-License-Identifier: MIT */
/* A call waits for an identical one as long as that goes on, and no longer. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(stalled, .init = open_world, .fini = close_world, .timeout = 120);

static const char body[] = "{\"model\":\"m\",\"messages\":[]}";
static const char streamed[] = "{\"model\":\"m\",\"stream\":true,\"messages\":[]}";

static const char *url(void)
{
  return world_url(&w, "/v1/chat/completions");
}

static struct run follow(void)
{
  return run_shim(&w, "curl", "-sS", "-d", body, url(), NULL);
}

/* A curl whose request has come in, and is not answered for so long; the next ones are answered at once. */
static struct run own(const char *latency)
{
  mock_default(&w, latency);
  struct run owner = start_shim(&w, "curl", "-sS", "-d", body, url(), NULL);
  wait_until(mock_count(&w).requests == 1);
  mock_default(&w, "latency_ms=0");
  return owner;
}

/* The same of the subject program, which hangs by now. */
static struct run own_and_hang(const char *how)
{
  struct run owner = start_shim(&w, "stalling", how, url(), body, NULL);
  wait_until((run_look(&owner), owner.out && strstr(owner.out, "hangs")));
  return owner;
}

static void expect_one_key(void)
{
  json_t *requests = mock_requests(&w);
  const char *first = mock_header(json_array_get(requests, 0), "Idempotency-Key");
  for (size_t i = 1; i < json_array_size(requests); i++) {
    const char *other = mock_header(json_array_get(requests, i), "Idempotency-Key");
    cr_assert(first && other);
    cr_expect_str_eq(first, other);
  }
  json_decref(requests);
}

static void end(struct run *owner)
{
  run_signal(owner, SIGKILL);
  run_wait(owner);
  run_release(owner);
}

/* What the follower got is the answer, also when the owner has gone on. */
static void expect_overtaken(struct run *owner, int signal, const char *why)
{
  struct run follower = follow();
  expect_success(&follower);
  cr_expect_eq(mock_count(&w).requests, 2, "%ld", mock_count(&w).requests);
  cr_expect_eq(log_events(&w, "owner_stalled"), 1);
  cr_expect(log_contains(&w, why));
  cr_expect_eq(log_events(&w, "stored"), 1);
  cr_expect(strstr(follower.err, "under way already"), "%s", follower.err);
  expect_one_key();
  run_signal(owner, signal);
  run_wait(owner);
  expect_success(owner);
  cr_expect_eq(log_events(&w, "stored"), 1);
  struct run again = follow();
  expect_same_output(&follower, &again);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "in_doubt"), 0);
  run_release(&again);
  run_release(&follower);
  run_release(owner);
}

Test(stalled, a_stopped_owner_is_left)
{
  struct run owner = own("latency_ms=2500");
  run_signal(&owner, SIGSTOP);
  expect_overtaken(&owner, SIGCONT, "process is stopped");
}

Test(stalled, of_many_followers_one_goes_out)
{
  enum { FOLLOWERS = 8 };
  struct run followers[FOLLOWERS];
  struct run owner = own("latency_ms=30000");
  mock_default(&w, "latency_ms=300");
  run_signal(&owner, SIGSTOP);
  for (int i = 0; i < FOLLOWERS; i++)
    followers[i] = start_shim(&w, "curl", "-sS", "-d", body, url(), NULL);
  for (int i = 0; i < FOLLOWERS; i++) {
    run_wait(&followers[i]);
    expect_success(&followers[i]);
    cr_expect_str_eq(followers[i].out, followers[0].out);
  }
  cr_expect_eq(mock_count(&w).requests, 2, "%ld", mock_count(&w).requests);
  /* Who comes late finds the answer. */
  int left = log_events(&w, "owner_stalled");
  cr_expect(left >= 1 && left <= FOLLOWERS, "%d", left);
  cr_expect_eq(log_events(&w, "stored"), 1);
  end(&owner);
  for (int i = 0; i < FOLLOWERS; i++)
    run_release(&followers[i]);
}

Test(stalled, a_stopped_owner_is_left_by_a_multi)
{
  struct run owner = own("latency_ms=30000");
  run_signal(&owner, SIGSTOP);
  struct run follower = run_shim(&w, "multi_calls", "epoll", "1", url(), body, body, NULL);
  expect_success(&follower);
  cr_expect_eq(mock_count(&w).requests, 2, "%ld", mock_count(&w).requests);
  cr_expect_geq(log_events(&w, "owner_stalled"), 1);
  end(&owner);
  run_release(&follower);
}

/* Where both have gone out and the owner is first, what it has is kept. */
Test(stalled, the_first_answer_wins)
{
  struct run owner = own("latency_ms=500");
  run_signal(&owner, SIGSTOP);
  mock_default(&w, "latency_ms=4000");
  struct run follower = start_shim(&w, "curl", "-sS", "-d", body, url(), NULL);
  wait_until(mock_count(&w).requests == 2);
  run_signal(&owner, SIGCONT);
  run_wait(&owner);
  expect_success(&owner);
  run_wait(&follower);
  expect_success(&follower);
  cr_expect_eq(log_events(&w, "stored"), 1);
  struct run again = follow();
  expect_same_output(&owner, &again);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&owner);
  run_release(&follower);
  run_release(&again);
}

Test(stalled, where_at_most_once_is_asked_for_it_is_refused)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail");
  struct run owner = own("latency_ms=30000");
  run_signal(&owner, SIGSTOP);
  struct run follower =
      run_shim(&w, "curl", "-sS", "-w", "%{http_code}", "-o", "/dev/null", "-d", body, url(), NULL);
  cr_expect_str_eq(follower.out, "409", "%s", follower.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(log_events(&w, "owner_stalled"), 1);
  cr_expect_eq(log_events(&w, "in_doubt"), 1);
  end(&owner);
  run_release(&follower);
}

/* The thread that has the lock waits for the one that wants it. */
ParameterizedTestParameters(stalled, a_lock_of_the_app_hangs_nobody)
{
  static char callbacks[][16] = {"lock", "lock-sockopt", "lock-debug"};
  return cr_make_param_array(char[16], callbacks, sizeof(callbacks) / sizeof(*callbacks));
}
ParameterizedTest(char (*callback)[16], stalled, a_lock_of_the_app_hangs_nobody)
{
  struct run run = run_shim(&w, "stalling", *callback, url(), body, NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "main rc=0 status=200"), "%s", run.out);
  cr_expect(strstr(run.out, "thread rc=0 status=200"), "%s", run.out);
  cr_expect_eq(mock_count(&w).requests, 2, "%ld", mock_count(&w).requests);
  cr_expect_eq(log_events(&w, "owner_stalled"), 1);
  cr_expect(log_contains(&w, "in a callback of this program"));
  cr_expect_eq(log_events(&w, "stored"), 1);
  run_release(&run);
}

Test(stalled, an_owner_in_a_callback_of_its_app_is_left)
{
  struct run owner = own_and_hang("callback");
  expect_overtaken(&owner, SIGUSR1, "makes no progress");
}

Test(stalled, an_owner_in_a_progress_callback_is_left)
{
  struct run owner = own_and_hang("progress");
  expect_overtaken(&owner, SIGUSR1, "makes no progress");
}

Test(stalled, an_owner_whose_loop_is_not_turned_is_left)
{
  need_libcurl(0x075800, "turn that ends after a read");
  /* So that the turn that sends it does not have the answer, too. */
  mock_default(&w, "latency_ms=2500");
  struct run owner = own_and_hang("multi");
  mock_default(&w, "latency_ms=0");
  expect_overtaken(&owner, SIGUSR1, "makes no progress");
}

/* A model that thinks: nothing comes for longer than an owner may be still. */
static void expect_patience(struct run *owner)
{
  struct run follower = follow();
  run_wait(owner);
  expect_success(owner);
  expect_success(&follower);
  cr_expect_eq(mock_count(&w).requests, 1, "%ld", mock_count(&w).requests);
  cr_expect_eq(log_events(&w, "owner_stalled"), 0);
  cr_expect_eq(log_events(&w, "join"), 1);
  run_release(owner);
  run_release(&follower);
}

Test(stalled, a_silent_upstream_is_waited_for)
{
  struct run owner = own("latency_ms=13000");
  expect_patience(&owner);
}

/* Nothing wakes this loop but libcurl's own timer. */
ParameterizedTestParameters(stalled, a_silent_upstream_is_waited_for_by_a_loop)
{
  static char rules[][40] = {"host=127.0.0.1", "host=127.0.0.1 rescue=off"};
  return cr_make_param_array(char[40], rules, 2);
}
ParameterizedTest(char (*rule)[40], stalled, a_silent_upstream_is_waited_for_by_a_loop)
{
  world_env(&w, "IDEMSHIM_RULES", "%s", *rule);
  mock_default(&w, "latency_ms=13000");
  struct run owner = start_shim(&w, "stalling", "silent", url(), body, NULL);
  wait_until(mock_count(&w).requests == 1);
  expect_patience(&owner);
}

/* Its thread ends as soon as it can, which is before libcurl has the call. */
Test(stalled, an_owner_that_is_cancelled_at_once_leaves_no_claim)
{
  struct run run = run_shim(&w, "cancelled", "early", url(), body, NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "cancelled\nagain rc=0 status=200"), "%s", run.out);
  cr_expect_eq(log_events(&w, "join"), 0);
  run_release(&run);
}

Test(stalled, who_waits_can_be_cancelled)
{
  world_unset(&w, "IDEMSHIM_LOG");
  struct run owner = own("latency_ms=30000");
  struct run follower = run_shim(&w, "cancelled", "progress", url(), body, NULL);
  expect_success(&follower);
  cr_expect_str_eq(follower.out, "cancelled\n", "%s", follower.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  end(&owner);
  run_release(&follower);
}

/* libcurl's own turns do not come by way of us here, as in one that was linked with -Bsymbolic. */
static struct run own_unseen(const char *latency)
{
  static const char program[] = "import ctypes, os, sys\n"
                                "curl = ctypes.CDLL('libcurl.so.4', os.RTLD_NOW | os.RTLD_DEEPBIND)\n"
                                "curl.curl_easy_init.restype = ctypes.c_void_p\n"
                                "handle = ctypes.c_void_p(curl.curl_easy_init())\n"
                                "curl.curl_easy_setopt(handle, 10002, sys.argv[1].encode())\n"
                                "curl.curl_easy_setopt(handle, 10165, sys.argv[2].encode())\n"
                                "sys.exit(curl.curl_easy_perform(handle))\n";
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime refuses RTLD_DEEPBIND before it comes to us");
  const char *file = world_write(&w, "unseen.py", program, sizeof(program) - 1);
  mock_default(&w, latency);
  struct run owner = start_shim(&w, "/usr/bin/python3", file, url(), body, NULL);
  wait_until(mock_count(&w).requests == 1);
  return owner;
}

Test(stalled, an_owner_whose_turns_are_not_seen_is_waited_for)
{
  struct run owner = own_unseen("latency_ms=13000");
  expect_patience(&owner);
}

Test(stalled, an_owner_whose_turns_are_not_seen_is_left_once_it_is_stopped)
{
  struct run owner = own_unseen("latency_ms=2500");
  mock_default(&w, "latency_ms=0");
  run_signal(&owner, SIGSTOP);
  expect_overtaken(&owner, SIGCONT, "process is stopped");
}

Test(stalled, wait_0_waits_for_nobody)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 wait=0");
  struct run owner = own("latency_ms=3000");
  struct run follower = follow();
  expect_success(&follower);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "stored"), 1);
  cr_expect_eq(log_events(&w, "owner_stalled"), 0);
  expect_one_key();
  run_wait(&owner);
  expect_success(&owner);
  cr_expect_eq(log_events(&w, "stored"), 1);
  run_release(&owner);
  run_release(&follower);
}

Test(stalled, what_was_waited_for_long_enough_is_still_sent_once_at_most_where_that_is_asked_for)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 wait=300ms indoubt=fail");
  struct run owner = own("latency_ms=3000");
  struct run follower =
      run_shim(&w, "curl", "-sS", "-w", "%{http_code}", "-o", "/dev/null", "-d", body, url(), NULL);
  cr_expect_str_eq(follower.out, "409", "%s", follower.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_wait(&owner);
  expect_success(&owner);
  run_release(&owner);
  run_release(&follower);
}

/* The app has a part of the answer: there is no way back. */
Test(stalled, a_stream_that_is_followed_ends_with_an_owner_that_is_stopped)
{
  mock_default(&w, "hold=1");
  struct run owner = start_shim(&w, "curl", "-sSN", "-d", streamed, url(), NULL);
  wait_until((run_look(&owner), owner.out_len > 0));
  struct run follower = start_shim(&w, "curl", "-sSN", "-d", streamed, url(), NULL);
  wait_until((run_look(&follower), follower.out_len > 0));
  run_signal(&owner, SIGSTOP);
  run_wait(&follower);
  cr_expect_eq(follower.status, 56, "%d %s", follower.status, follower.err);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(log_events(&w, "owner_stalled"), 1);
  end(&owner);
  run_release(&follower);
}
