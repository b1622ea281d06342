/* SPDX-License-Identifier: MIT */
/* libcurl sends a request again by itself: told in the default, refused under indoubt=fail. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(own_resends, .init = open_world, .fini = close_world, .timeout = 120);

static const char resets[] = "/v1/chat/completions?mock=reset%3Dreused";
/* The redirect is followed on the same connection, which is no new one then. */
static const char resets_after_redirect[] =
    "/v1/chat/completions?mock=redirect%3D/v1/chat/completions%3Fmock%3Dreset%253Dreused";

/* Without it nothing of libcurl's tells that a request goes out again. */
static void need_prerequest(void)
{
  need_libcurl(0x075000, "prerequest callback");
}

static void is_told(const char *way)
{
  need_prerequest();
  struct run run = run_shim(&w, "own_resends", way, world_url(&w, resets), "4", NULL);
  expect_success(&run);
  cr_expect_eq(count_of(run.out, " rc=0 "), 4, "%s", run.out);
  cr_expect_eq(mock_count(&w).requests, 7);
  cr_expect_eq(log_events(&w, "live"), 4);
  cr_expect_eq(log_events(&w, "resent_by_libcurl"), 3);
  cr_expect_eq(log_events(&w, "stored"), 4);
  run_release(&run);
}

Test(own_resends, upstream_counts_operations_and_what_events_name)
{
  is_told("easy");
  struct run stats = run_shim(&w, "idemshim", "stats", "--json", NULL);
  cr_expect(strstr(stats.out, "\"resent_by_libcurl\":3") || strstr(stats.out, "\"resent_by_libcurl\": 3"),
            "%s", stats.out);
  run_release(&stats);
}

Test(own_resends, also_in_a_multi)
{
  is_told("multi");
}

/* What a proxy answers to CONNECT is no answer. */
Test(own_resends, also_behind_a_proxy)
{
  is_told("proxy");
}

Test(own_resends, both_requests_have_one_upstream_key)
{
  struct run run = run_shim(&w, "own_resends", "easy", world_url(&w, resets), "2", NULL);
  json_t *requests = mock_requests(&w);
  cr_assert_eq(json_array_size(requests), 3);
  const char *first = mock_header(json_array_get(requests, 1), "Idempotency-Key");
  const char *second = mock_header(json_array_get(requests, 2), "Idempotency-Key");
  cr_assert(first && second);
  cr_expect_str_eq(first, second);
  json_decref(requests);
  run_release(&run);
}

Test(own_resends, a_redirect_is_none)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=redirect%3D/v1/chat/completions");
  struct run run = run_shim(&w, "own_resends", "easy", url, "2", NULL);
  cr_expect_eq(count_of(run.out, " rc=0 "), 2, "%s", run.out);
  cr_expect_eq(mock_count(&w).requests, 4);
  cr_expect_eq(log_events(&w, "resent_by_libcurl"), 0);
  run_release(&run);
}

/* The connection goes with the call into the copy, which is who sends it again. */
Test(own_resends, a_copy_of_the_process_tells_too)
{
  need_prerequest();
  mock_default(&w, "reset=reused");
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D3000");
  struct run run = run_shim(&w, "curl", "-sS", "-d", "{\"first\":1}", world_url(&w, "/v1/chat/completions"),
                            "--next", "-sS", "--max-time", "1", "-d", "{}", url, NULL);
  cr_expect_eq(run.status, 28, "%s", run.err);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(log_events(&w, "rescued"), 1);
  cr_expect_eq(log_events(&w, "resent_by_libcurl"), 1);
  cr_expect_eq(mock_count(&w).requests, 3);
  run_release(&run);
}

Test(own_resends, at_most_once_is_on_a_connection_of_its_own)
{
  static const char *const ways[] = {"easy", "multi"};
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail");
  for (int i = 0; i < 2; i++) {
    mock_reset(&w);
    struct run run = run_shim(&w, "own_resends", ways[i],
                              world_url(&w, world_text(&w, "%s,events%%3D%d", resets, i)), "4", NULL);
    cr_expect_eq(count_of(run.out, " rc=0 "), 4, "%s", run.out);
    cr_expect_eq(mock_count(&w).requests, 4);
    cr_expect_eq(mock_count(&w).connections, 4);
    run_release(&run);
  }
  cr_expect_eq(log_events(&w, "resent_by_libcurl"), 0);
}

/* An older libcurl makes a connection for the second request, upon which nothing is sent again. */
Test(own_resends, at_most_once_holds_after_a_redirect)
{
  const bool refused = libcurl_version() >= 0x075000;
  static const char *const ways[] = {"easy", "multi", "proxy"};
  /* The second run has another proxy, which would be part of its name. */
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail trust=none");
  for (int i = 0; i < 3; i++) {
    const char *url = world_url(&w, world_text(&w, "%s,events%%3D%d", resets_after_redirect, i));
    mock_reset(&w);
    struct run run = run_shim(&w, "own_resends", ways[i], url, "1", NULL);
    cr_expect_eq(count_of(run.out, "rc=56 Recv failure: Connection reset by peer"), refused, "%s: %s",
                 ways[i], run.out);
    cr_expect_eq(mock_count(&w).requests, 2);
    cr_expect_eq(log_events(&w, "in_doubt"), refused ? 2 * i + 1 : 0);
    struct run again = run_shim(&w, "own_resends", ways[i], url, "1", NULL);
    cr_expect_eq(count_of(again.out, " rc=0 "), 1, "the problem is an answer: %s", again.out);
    cr_expect_eq(mock_count(&w).requests, 2, "%s: what may have been done is not sent again", ways[i]);
    run_release(&run);
    run_release(&again);
  }
}

/* Not every libcurl repeats it, or speaks HTTP/2: it ends as it does without us. */
static void unprocessed(const char *how)
{
  need_prerequest();
  static const char *const rules[] = {"host=127.0.0.1", "host=127.0.0.1 indoubt=fail"};
  struct run plain = run_plain(&w, "own_resends", how, NULL);
  int repeats = strstr(plain.out, "rc=0 status=200") != NULL;
  for (int i = 0; i < 2; i++) {
    world_env(&w, "IDEMSHIM_RULES", "%s", rules[i]);
    struct run run = run_shim(&w, "own_resends", how, NULL);
    expect_same_output(&plain, &run);
    cr_expect_eq(log_events(&w, "resent_by_libcurl"), repeats * (i + 1));
    cr_expect(!repeats || log_contains(&w, "upstream has not processed it"));
    run_release(&run);
  }
  run_release(&plain);
}

Test(own_resends, a_refused_stream_may_be_sent_again)
{
  unprocessed("refused");
}

Test(own_resends, what_is_above_the_last_stream_may_be_sent_again)
{
  unprocessed("goaway");
}

/* Another transfer may have joined the connection, and to libcurl it is a reused one then. */
Test(own_resends, in_a_multi_a_refused_stream_is_as_a_reset)
{
  need_prerequest();
  struct run plain = run_plain(&w, "own_resends", "refused", "multi", NULL);
  bool repeats = strstr(plain.out, "rc=0 status=200") != NULL;
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1");
  struct run told = run_shim(&w, "own_resends", "refused", "multi", NULL);
  expect_same_output(&plain, &told);
  cr_expect_eq(log_events(&w, "resent_by_libcurl"), repeats);
  cr_expect(!log_contains(&w, "upstream has not processed it"));
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail");
  struct run refused = run_shim(&w, "own_resends", "refused", "multi", NULL);
  cr_expect(!repeats || strstr(refused.out, "rc=56 "), "%s", refused.out);
  cr_expect_eq(log_events(&w, "resent_by_libcurl"), repeats);
  cr_expect(!repeats || log_events(&w, "in_doubt") == 1);
  run_release(&plain);
  run_release(&told);
  run_release(&refused);
}
