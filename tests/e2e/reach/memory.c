/* SPDX-License-Identifier: MIT */
/* A program that makes calls for days has the memory that it would have without us: what a call needs is
 * given back, however the call ends. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The store's maps and lists grow by steps, which are few beside a piece for each of the rounds. */
enum { ROUNDS = 100, STEPS = ROUNDS / 4 };

static void set_up(void)
{
  open_world();
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer has an allocator of its own");
}

TestSuite(kept_memory, .init = set_up, .fini = close_world, .timeout = 300);

static const char target[] = "/v1/chat/completions";
static const char *stream; /* or NULL: a whole answer is asked for */

/* How many pieces there are more; `ends` is what the calls came to. */
static long more(bool shim, const char *name, const char *url, char ends[512])
{
  struct run run = run_argv(
      &w, shim, (const char *const[]){"keeps_memory", name, url, world_text(&w, "%d", ROUNDS), stream, NULL});
  const char *told = strstr(run.out, "more ");
  expect_success(&run);
  cr_assert_not_null(told, "%s: %s%s", name, run.out, run.err);
  snprintf(ends, 512, "%.*s", (int)(told - run.out), run.out);
  long count = strtol(told + strlen("more "), NULL, 10);
  run_release(&run);
  return count;
}

static void expect_none_kept(const char *name, const char *url)
{
  char plain_ends[512], ends[512];
  long plain = more(false, name, url, plain_ends), shim = more(true, name, url, ends);
  cr_expect(shim < plain + STEPS, "%s: %ld pieces more after %d calls more, and %ld without us", name, shim,
            ROUNDS, plain);
  cr_expect_str_eq(ends, plain_ends, "%s: %sand not %s", name, ends, plain_ends);
}

static void expect_none_kept_of(const char *const *names, const char *url)
{
  for (; *names; names++)
    expect_none_kept(*names, url);
}

#define EXPECT_NONE_KEPT(url, ...) expect_none_kept_of((const char *const[]){__VA_ARGS__, NULL}, url)

Test(kept_memory, of_calls_that_are_stored_and_of_hits)
{
  const char *url = world_url(&w, target);
  EXPECT_NONE_KEPT(url, "hold", "hold-new", "anew", "anew-new", "dressed", "dressed-new", "asked",
                   "asked-new");
}

Test(kept_memory, of_bodies_that_are_read_and_of_forms)
{
  const char *url = world_url(&w, target);
  EXPECT_NONE_KEPT(url, "read", "read-new", "refused", "form", "form-new");
}

Test(kept_memory, of_calls_in_a_multi)
{
  const char *url = world_url(&w, target);
  EXPECT_NONE_KEPT(url, "multi", "multi-new", "both", "both-new", "taken-away");
}

Test(kept_memory, of_calls_that_the_app_gives_up)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=off");
  const char *url = world_url(&w, target);
  EXPECT_NONE_KEPT(url, "reset-in-header", "reset-in-header-new", "reset-in-body", "reset-in-body-new",
                   "refuses", "refuses-new", "taken-away");
}

Test(kept_memory, of_replays_by_libcurl)
{
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  const char *url = world_url(&w, target);
  EXPECT_NONE_KEPT(url, "hold", "anew", "dressed", "asked", "read", "form", "both", "reset-in-header",
                   "reset-in-body", "refuses");
}

Test(kept_memory, of_streams)
{
  stream = "stream";
  const char *url = world_url(&w, target);
  EXPECT_NONE_KEPT(url, "hold", "hold-new", "multi", "both-new", "reset-in-body-new");
}

Test(kept_memory, of_answers_that_are_not_stored)
{
  const char *failing = world_url(&w, "/v1/chat/completions?mock=status%3D500");
  EXPECT_NONE_KEPT(failing, "hold", "anew", "both", "reset-in-body", "taken-away");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=20");
  const char *url = world_url(&w, target);
  EXPECT_NONE_KEPT(url, "hold", "anew", "read", "form", "both", "reset-in-body", "refuses");
}

Test(kept_memory, of_calls_that_no_rule_wants)
{
  world_env(&w, "IDEMSHIM_RULES", "host=other.example");
  const char *url = world_url(&w, target);
  EXPECT_NONE_KEPT(url, "hold", "anew", "dressed", "asked", "read", "form", "both", "taken-away",
                   "reset-in-body");
}

Test(kept_memory, of_calls_that_are_observed)
{
  world_env(&w, "IDEMSHIM_MODE", "observe");
  const char *url = world_url(&w, target);
  EXPECT_NONE_KEPT(url, "hold", "anew-new", "read", "form", "both", "taken-away", "reset-in-body", "refuses");
}

Test(kept_memory, of_tapes)
{
  static const char *const names[] = {"hold", "hold-new", "asked", "form", "multi", "both", "refuses", NULL};
  const char *url = world_url(&w, target);
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  world_env(&w, "IDEMSHIM_MODE", "record");
  expect_none_kept_of(names, url);
  EXPECT_NONE_KEPT(url, "taken-away", "reset-in-body");
  long requests = mock_count(&w).requests;
  world_env(&w, "IDEMSHIM_MODE", "replay");
  for (size_t i = 0; names[i]; i++) {
    char ends[512];
    long shim = more(true, names[i], url, ends);
    cr_expect(shim < STEPS, "%s: %ld pieces more after %d calls more", names[i], shim, ROUNDS);
  }
  cr_expect_eq(mock_count(&w).requests, requests);
}
