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
static char url[512];

/* It stays, unlike a text of the world's. */
static void ask(const char *of_world)
{
  snprintf(url, sizeof(url), "%s", world_url(&w, of_world));
}

/* How many pieces there are more; `ends` is what the calls came to. */
static long more(bool shim, const char *name, char ends[512])
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

static void expect_none_kept(const char *name)
{
  char plain_ends[512], ends[512];
  long before = mock_count(&w).requests;
  long plain = more(false, name, plain_ends), asked = mock_count(&w).requests - before;
  long shim = more(true, name, ends);
  cr_expect(asked >= ROUNDS || strcmp(name, "refused") == 0, "%s: %ld requests", name, asked);
  cr_expect(shim < plain + STEPS, "%s: %ld pieces more after %d calls more, and %ld without us", name, shim,
            ROUNDS, plain);
  cr_expect_str_eq(ends, plain_ends, "%s: %sand not %s", name, ends, plain_ends);
}

static void expect_none_kept_of(const char *const *names)
{
  for (; *names; names++)
    expect_none_kept(*names);
}

#define EXPECT_NONE_KEPT(...) expect_none_kept_of((const char *const[]){__VA_ARGS__, NULL})

Test(kept_memory, of_calls_that_are_stored_and_of_hits)
{
  ask(target);
  EXPECT_NONE_KEPT("hold", "hold-new", "anew", "anew-new", "dressed", "dressed-new", "asked", "asked-new",
                   "parsed", "parsed-new");
}

Test(kept_memory, of_bodies_that_are_read_and_of_forms)
{
  ask(target);
  EXPECT_NONE_KEPT("read", "read-new", "refused", "form", "form-new");
}

Test(kept_memory, of_calls_in_a_multi)
{
  ask(target);
  EXPECT_NONE_KEPT("multi", "multi-new", "both", "both-new", "taken-away");
}

Test(kept_memory, of_calls_that_the_app_gives_up)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=off");
  ask(target);
  EXPECT_NONE_KEPT("reset-in-header", "reset-in-header-new", "reset-in-body", "reset-in-body-new", "refuses",
                   "refuses-new", "taken-away");
}

Test(kept_memory, of_replays_by_libcurl)
{
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  ask(target);
  EXPECT_NONE_KEPT("hold", "anew", "dressed", "asked", "read", "form", "both", "reset-in-header",
                   "reset-in-body", "refuses");
}

Test(kept_memory, of_streams)
{
  stream = "stream";
  ask(target);
  EXPECT_NONE_KEPT("hold", "hold-new", "multi", "both-new", "reset-in-body-new");
}

Test(kept_memory, of_answers_that_are_not_stored)
{
  ask("/v1/chat/completions?mock=status%3D500");
  EXPECT_NONE_KEPT("hold", "anew", "both", "reset-in-body", "taken-away");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=20");
  ask(target);
  EXPECT_NONE_KEPT("hold", "anew", "read", "form", "both", "reset-in-body", "refuses");
}

Test(kept_memory, of_calls_that_no_rule_wants)
{
  world_env(&w, "IDEMSHIM_RULES", "host=other.example");
  ask(target);
  EXPECT_NONE_KEPT("hold", "anew", "dressed", "asked", "read", "form", "both", "taken-away", "reset-in-body");
}

Test(kept_memory, of_calls_that_are_observed)
{
  world_env(&w, "IDEMSHIM_MODE", "observe");
  ask(target);
  EXPECT_NONE_KEPT("hold", "anew-new", "read", "form", "both", "taken-away", "reset-in-body", "refuses");
}

Test(kept_memory, of_tapes)
{
  static const char *const names[] = {"hold", "hold-new", "asked", "form", "multi", "both", "refuses", NULL};
  ask(target);
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  world_env(&w, "IDEMSHIM_MODE", "record");
  expect_none_kept_of(names);
  EXPECT_NONE_KEPT("taken-away", "reset-in-body");
  long requests = mock_count(&w).requests;
  world_env(&w, "IDEMSHIM_MODE", "replay");
  for (size_t i = 0; names[i]; i++) {
    char ends[512];
    long shim = more(true, names[i], ends);
    cr_expect(shim < STEPS, "%s: %ld pieces more after %d calls more", names[i], shim, ROUNDS);
  }
  cr_expect_eq(mock_count(&w).requests, requests);
}
