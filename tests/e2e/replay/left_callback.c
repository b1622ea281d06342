/* SPDX-License-Identifier: MIT */
/* An app leaves a callback for good: by a jump, an exception, a cancel, or the end of its thread. Whatever it
 * does next, and whoever makes the same call again, it sees what it sees without us, and nobody waits for a
 * call that never comes back. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1");
}

TestSuite(left_callback, .init = set_up, .fini = close_world, .timeout = 600);

static const char target[] = "/v1/chat/completions?mock=size%3D3000";
static const char *const callbacks[] = {"write", "header", "read", "progress", "debug"};
static const char *const nexts[] = {"perform", "reset", "cleanup", "duphandle", "add", "unmatched"};
enum { CALLBACKS = sizeof callbacks / sizeof *callbacks, NEXTS = sizeof nexts / sizeof *nexts };

static struct run left(bool shim, const char *loop, const char *way, const char *callback, const char *next)
{
  return run_argv(
      &w, shim,
      (const char *const[]){"left_callback", loop, way, callback, next, world_url(&w, target),
                            world_text(&w, "{\"callback\":\"%s\",\"next\":\"%s\"}", callback, next), NULL});
}

/* libcurl 7.74 forgets that it was left when it says something to the debug callback, which a
 * replay's is not always. */
static void forget_that_it_was_left(struct run *run, const struct run *plain)
{
  char *removed = strstr(run->out, "removed 8\n"), *cleaned = strstr(run->out, "cleaned up 8\n");
  if (removed && cleaned && strstr(plain->out, "removed 0\ncleaned up 0\n"))
    removed[strlen("removed ")] = cleaned[strlen("cleaned up ")] = '0';
}

static void expect_as_without_us(const char *loop, const char *way, const char *callback, const char *next,
                                 const char *delivery)
{
  world_env(&w, "IDEMSHIM_DELIVERY", "%s", delivery);
  struct run plain = left(false, loop, way, callback, next), run = left(true, loop, way, callback, next);
  expect_success(&plain);
  forget_that_it_was_left(&run, &plain);
  cr_expect(!run.timed_out && run.status == 0 && strcmp(run.out, plain.out) == 0,
            "%s, %s out of %s, then %s, %s: status %d\n%sand not\n%s", loop, way, callback, next, delivery,
            run.status, run.out, plain.out);
  run_release(&plain);
  run_release(&run);
}

struct way {
  char loop[8], way[8];
};

ParameterizedTestParameters(left_callback, nothing_is_left_behind)
{
  static struct way ways[] = {{"easy", "jump"},  {"easy", "throw"},  {"easy", "cancel"},  {"easy", "exit"},
                              {"multi", "jump"}, {"multi", "throw"}, {"multi", "cancel"}, {"multi", "exit"}};
  return cr_make_param_array(struct way, ways, sizeof(ways) / sizeof(*ways));
}

/* Live, of an answer that is there, and of one by transport. */
ParameterizedTest(struct way *way, left_callback, nothing_is_left_behind)
{
  for (int i = 0; i < CALLBACKS; i++)
    for (int j = 0; j < NEXTS; j++) {
      expect_as_without_us(way->loop, way->way, callbacks[i], nexts[j], "auto");
      expect_as_without_us(way->loop, way->way, callbacks[i], nexts[j], "auto");
      expect_as_without_us(way->loop, way->way, callbacks[i], nexts[j], "transport");
    }
}

/* Nobody knows what became of what was sent, so it goes out once more with the same upstream key; then it is
 * there. */
ParameterizedTestParameters(left_callback, the_claim_is_in_doubt)
{
  static struct way ways[] = {{"easy", "jump"}, {"easy", "exit"}, {"multi", "jump"}, {"multi", "exit"}};
  return cr_make_param_array(struct way, ways, sizeof(ways) / sizeof(*ways));
}

ParameterizedTest(struct way *way, left_callback, the_claim_is_in_doubt)
{
  struct run run = left(true, way->loop, way->way, "write", "cleanup");
  expect_success(&run);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "in_doubt"), 1);
  cr_expect_eq(log_events(&w, "stored"), 1);
  cr_expect_eq(log_events(&w, "not_stored"), 1);
  run_release(&run);
}

struct stay {
  char loop[8], way[8], next[12];
};

ParameterizedTestParameters(left_callback, the_retry_does_not_wait_for_the_thread_to_end)
{
  static struct stay stays[] = {
      {"easy", "jump", "nothing"},   {"easy", "throw", "nothing"},  {"easy", "throw", "cleanup"},
      {"easy", "jump", "reset"},     {"easy", "throw", "perform"},  {"multi", "jump", "nothing"},
      {"multi", "throw", "nothing"}, {"multi", "throw", "cleanup"},
  };
  return cr_make_param_array(struct stay, stays, sizeof(stays) / sizeof(*stays));
}

/* Another thread makes the same call while the one that left its callback waits for what comes of it, as in a
 * pool. A handle that was cleaned up, reset or used has let the claim go. One that nobody has touched has it
 * still: who waits for it sees an owner that does not come out of a callback, and goes out beside it. */
ParameterizedTest(struct stay *stay, left_callback, the_retry_does_not_wait_for_the_thread_to_end)
{
  const char *argv[] = {"left_callback",       stay->loop,         stay->way, "write", stay->next,
                        world_url(&w, target), "{\"lives\":true}", "lives",   NULL};
  bool untouched = strcmp(stay->next, "nothing") == 0;
  struct run plain = run_argv(&w, false, argv);
  expect_success(&plain);
  cr_expect_eq(count_of(plain.out, "the same call rc=0 bytes="), 2, "%s", plain.out);
  int before = mock_count(&w).requests;
  struct run run = run_argv(&w, true, argv);
  cr_expect(!run.timed_out && run.status == 0 && strcmp(run.out, plain.out) == 0,
            "%s, %s, %s: status %d\n%sand not\n%s", stay->loop, stay->way, stay->next, run.status, run.out,
            plain.out);
  cr_expect_eq(mock_count(&w).requests - before, 2, "%ld", mock_count(&w).requests - before);
  cr_expect_eq(log_events(&w, "owner_stalled"), untouched ? 1 : 0);
  cr_expect_eq(log_contains(&w, "in a callback of this program"), untouched);
  cr_expect_eq(log_events(&w, "in_doubt"), untouched ? 0 : 1);
  cr_expect_eq(log_events(&w, "stored"), 1);
  run_release(&plain);
  run_release(&run);
}

/* Its thread is no more, so nobody can come back to it: the same call goes out at once, with the upstream key
 * that its owner had, though its handle is as it was left. */
Test(left_callback, the_retry_does_not_wait_for_a_thread_that_has_ended)
{
  static const struct way ways[] = {
      {"easy", "exit"}, {"easy", "cancel"}, {"multi", "exit"}, {"multi", "cancel"}};
  for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
    const char *argv[] = {"left_callback",
                          ways[i].loop,
                          ways[i].way,
                          "write",
                          "nothing",
                          world_url(&w, target),
                          world_text(&w, "{\"ends\":%zu}", i),
                          "ends",
                          NULL};
    mock_reset(&w);
    struct run plain = run_argv(&w, false, argv), run = run_argv(&w, true, argv);
    expect_success(&plain);
    cr_expect_eq(count_of(plain.out, "the same call rc=0 bytes="), 2, "%s", plain.out);
    cr_expect(!run.timed_out && run.status == 0 && strcmp(run.out, plain.out) == 0,
              "%s, %s: status %d\n%sand not\n%s", ways[i].loop, ways[i].way, run.status, run.out, plain.out);
    cr_expect_eq(mock_count(&w).requests, 3 + 2, "%s, %s: %ld", ways[i].loop, ways[i].way,
                 mock_count(&w).requests);
    cr_expect_eq(log_events(&w, "in_doubt"), (int)i + 1);
    cr_expect_eq(log_events(&w, "hit"), (int)i + 1);
    run_release(&plain);
    run_release(&run);
  }
  cr_expect_eq(log_events(&w, "owner_stalled"), 0);
}
