/* SPDX-License-Identifier: MIT */
/* A program that makes calls for days has the memory that it would have without us: what a call needs is
 * given back, however the call ends. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The store's maps and lists grow by steps, and keep some pages: little beside a piece for each of the
 * rounds, or a handle's worth of bytes. */
enum { ROUNDS = 100, STEPS = ROUNDS / 4, BYTES = 1000 * ROUNDS };

static void set_up(void)
{
  open_world();
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer has an allocator of its own");
}

TestSuite(kept_memory, .init = set_up, .fini = close_world, .timeout = 300);

static const char target[] = "/v1/chat/completions";
static const char *way; /* or NULL: of keeps_memory */
static char url[512];

/* It stays, unlike a text of the world's. */
static void ask(const char *of_world)
{
  snprintf(url, sizeof(url), "%s", world_url(&w, of_world));
}

struct kept {
  char ends[512]; /* what the calls came to */
  long pieces, bytes;
};

static struct kept kept(bool shim, const char *name)
{
  struct kept kept;
  struct run run = run_argv(
      &w, shim, (const char *const[]){"keeps_memory", name, url, world_text(&w, "%d", ROUNDS), way, NULL});
  const char *told = strstr(run.out, "more ");
  expect_success(&run);
  cr_assert_eq(told ? sscanf(told, "more %ld %ld", &kept.pieces, &kept.bytes) : 0, 2, "%s: %s%s", name,
               run.out, run.err);
  snprintf(kept.ends, sizeof(kept.ends), "%.*s", (int)(told - run.out), run.out);
  run_release(&run);
  return kept;
}

static void expect_no_more(const char *name, const struct kept *shim, const struct kept *plain)
{
  cr_expect(shim->pieces < plain->pieces + STEPS,
            "%s: %ld pieces more after %d calls more, and %ld without us", name, shim->pieces, ROUNDS,
            plain->pieces);
  cr_expect(shim->bytes < plain->bytes + BYTES, "%s: %ld bytes more after %d calls more, and %ld without us",
            name, shim->bytes, ROUNDS, plain->bytes);
}

static void expect_none_kept(const char *name)
{
  long before = mock_count(&w).requests;
  struct kept plain = kept(false, name);
  long asked = mock_count(&w).requests - before;
  struct kept shim = kept(true, name);
  cr_expect(asked >= ROUNDS || strcmp(name, "refused") == 0, "%s: %ld requests", name, asked);
  expect_no_more(name, &shim, &plain);
  cr_expect_str_eq(shim.ends, plain.ends, "%s: %sand not %s", name, shim.ends, plain.ends);
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
  way = "stream";
  ask(target);
  EXPECT_NONE_KEPT("hold", "hold-new", "multi", "both-new", "reset-in-body-new");
}

/* What is kept for one that libcurl has ended by itself would be found again where the next has its
 * address. */
Test(kept_memory, of_handles_whose_addresses_never_come_again)
{
  way = "afresh";
  ask(target);
  EXPECT_NONE_KEPT("anew", "anew-new", "dressed", "parsed", "form", "multi", "both", "taken-away");
  world_env(&w, "IDEMSHIM_RULES", "host=other.example");
  EXPECT_NONE_KEPT("anew", "form", "both");
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
    struct kept shim = kept(true, names[i]);
    expect_no_more(names[i], &shim, &(struct kept){.pieces = 0});
  }
  cr_expect_eq(mock_count(&w).requests, requests);
}
