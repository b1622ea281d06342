/* SPDX-License-Identifier: MIT */
/* Calls of the multi interface that are given up; the others in the same multi go on. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

TestSuite(rescue_multi, .init = open_world, .fini = close_world, .timeout = 120);

struct way {
  char name[16], script[32];
  int rescues;
};

ParameterizedTestParameters(rescue_multi, every_way_of_giving_up_ends_as_without_us)
{
  static struct way ways[] = {
      {"perform", "latency_ms%3D1200", 1}, {"action", "latency_ms%3D1200", 1},
      {"write", "stall_ms%3D600", 1},      {"remove", "latency_ms%3D1200", 1},
      {"cleanup", "latency_ms%3D1200", 1}, {"all", "latency_ms%3D1200", 2},
      {"exit", "latency_ms%3D1200", 2},    {"unused", "latency_ms%3D400", 0},
  };
  return cr_make_param_array(struct way, ways, sizeof(ways) / sizeof(*ways));
}

/* What the program has said, without the sums of answers that differ from run to run. */
static void words_of(const struct run *run, char *out, size_t size)
{
  size_t n = 0;
  for (const char *at = run->out; *at && n + 1 < size; at++) {
    if (strncmp(at, "bytes=", 6) == 0)
      at += strcspn(at, "\n");
    out[n++] = *at;
  }
  out[n] = '\0';
}

ParameterizedTest(struct way *way, rescue_multi, every_way_of_giving_up_ends_as_without_us)
{
  char plain_words[512], words[512];
  const char *url = world_url(&w, world_text(&w, "/v1/chat/completions?mock=%s", way->script));
  struct run plain = run_plain(&w, "timeouts_multi", way->name, url, "{\"a\":1}", "{\"b\":1}", NULL);
  mock_reset(&w);
  struct run run = run_shim(&w, "timeouts_multi", way->name, url, "{\"a\":1}", "{\"b\":1}", NULL);
  expect_success(&run);
  words_of(&plain, plain_words, sizeof(plain_words));
  words_of(&run, words, sizeof(words));
  cr_expect_eq(strlen(words), strlen(plain_words));
  for (char *line = strtok(plain_words, "\n"); line; line = strtok(NULL, "\n"))
    cr_expect(strstr(words, line), "%s: \"%s\" is not in \"%s\"", way->name, line, words);
  wait_until(log_events(&w, "rescued") == way->rescues);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "in_doubt"), 0);
  run_release(&plain);
  run_release(&run);
}

/* It sleeps for as long as libcurl says, and must still be woken for a deadline that is ours to look at. */
static void ends_in_time(const char *way, const char *words)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1");
  struct run run = run_shim(&w, "multi_deadline", way, NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, words), "%s: %s", way, run.out);
  wait_until(log_events(&w, "rescued") == 1);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(log_events(&w, "rescue"), 1);
  run_release(&run);
}

Test(rescue_multi, a_deadline_that_passes_in_the_turn_that_sends_the_request)
{
  need_libcurl(0x075000, "prerequest callback");
  ends_in_time("debug", "rc=28 in time, slept\nrequests=1 errors=0");
}

Test(rescue_multi, a_deadline_that_passes_in_a_turn_that_uses_up_the_timer_for_it)
{
  need_libcurl(0x075000, "prerequest callback");
  ends_in_time("company", "rc=28 in time, slept\nrequests=1 errors=0");
}

Test(rescue_multi, a_deadline_after_a_redirect)
{
  ends_in_time("redirected", "rc=28 in time, was woken\nrequests=2 errors=0");
}

/* There libcurl's timer for it was set for a later deadline. */
Test(rescue_multi, a_deadline_after_a_request_that_libcurl_made_again)
{
  ends_in_time("retried", "rc=28 in time, was woken\nrequests=3 errors=0");
}

Test(rescue_multi, an_answer_that_came_whole_before_its_connection_was_reset)
{
  ends_in_time("reset", "rc=23 in time, was woken\nrequests=1 errors=0");
}
