/* SPDX-License-Identifier: MIT */
/* budget=: a run that calls more often than it may is answered with 429, and nobody is called. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
  world_env(&w, "URL", "%s", world_url(&w, "/v1/chat/completions"));
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 budget=calls:2/run");
}

TestSuite(budgets, .init = set_up, .fini = close_world);

/* So many calls, each of a program of its own; their statuses, one a line. */
#define CALLS(which)                                                                                         \
  "for i in " which "; do curl -s -o \"$HOME/out\" -w '%{http_code}\\n' -d "                                 \
  "\"{\\\"model\\\":\\\"m\\\",\\\"n\\\":$i}\" \"$URL\"; done"

static struct run run(const char *script)
{
  return run_plain(&w, "idemshim", "run", "--", "sh", "-c", script, NULL);
}

static void expect_statuses(struct run *r, const char *statuses)
{
  cr_expect_str_eq(r->out, statuses, "%s%s", r->out, r->err);
  run_release(r);
}

Test(budgets, what_a_run_may_send_is_counted_over_its_processes_and_replays_are_free)
{
  struct run first = run(CALLS("1 2 1 2 3 1 4"));
  char *out = file_read(world_path(&w, "out"), &(size_t){0});

  cr_expect(strstr(first.err, "the run has used up the 2 calls that budget= of the rule host=127.0.0.1 gives "
                              "it; further calls are answered with 429"),
            "%s", first.err);
  expect_statuses(&first, "200\n200\n200\n200\n429\n200\n429\n");
  cr_expect(out && strstr(out, "The budget of this run is used up"), "%s", out);
  cr_expect_eq(mock_count(&w).served, 2);
  cr_expect_eq(log_events(&w, "over_budget"), 2);
  struct run second = run(CALLS("3 4 5"));
  expect_statuses(&second, "200\n200\n429\n");
  cr_expect_eq(mock_count(&w).served, 4);
  free(out);
}

Test(budgets, a_run_within_a_run_has_no_budget_of_its_own)
{
  struct run r = run("idemshim run -- sh -c '"
                     "curl -s -o /dev/null -w \"%{http_code}\\n\" -d 1 \"$URL\""
                     "'; " CALLS("2 3"));
  expect_statuses(&r, "200\n200\n429\n");
}

Test(budgets, without_a_run_each_process_has_one)
{
  struct run several = run_shell(&w, CALLS("1 2 3"));
  expect_statuses(&several, "200\n200\n200\n");
  struct run one = run_shim(&w, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}\n", "-d", "{\"n\":4}",
                            world_url(&w, "/v1/chat/completions?q=1"), "-o", "/dev/null",
                            world_url(&w, "/v1/chat/completions?q=2"), "-o", "/dev/null",
                            world_url(&w, "/v1/chat/completions?q=3"), NULL);
  expect_statuses(&one, "200\n200\n429\n");
}

Test(budgets, in_a_multi_it_is_the_same)
{
  struct run r = run_shim(&w, "curl", "-s", "-Z", "--parallel-max", "1", "-w", "%{http_code}\n", "-d",
                          "{\"n\":4}", "-o", "/dev/null", world_url(&w, "/v1/chat/completions?q=1"), "-o",
                          "/dev/null", world_url(&w, "/v1/chat/completions?q=2"), "-o", "/dev/null",
                          world_url(&w, "/v1/chat/completions?q=3"), NULL);
  char *refused = strstr(r.out, "429");
  cr_expect(refused && !strstr(refused + 1, "429"), "%s%s", r.out, r.err);
  cr_expect_eq(mock_count(&w).served, 2);
  run_release(&r);
}

Test(budgets, observing_counts_and_refuses_nothing)
{
  world_env(&w, "IDEMSHIM_MODE", "observe");
  struct run r = run(CALLS("1 2 1 3 4 3"));
  cr_expect(strstr(r.err, "gives it\n"), "%s", r.err);
  expect_statuses(&r, "200\n200\n200\n200\n200\n200\n");
  cr_expect_eq(log_events(&w, "over_budget"), 2);
  cr_expect_eq(mock_count(&w).served, 6);
}

/* Each takes more than half of them, the stream all. */
Test(budgets, tokens_are_counted_when_they_have_come)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 budget=calls:100,tokens:0.03k");
  struct run mistake = run_plain(&w, "idemshim", "check", NULL);
  cr_expect_eq(mistake.status, 2);
  run_release(&mistake);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 budget=calls:100,tokens:30");
  struct run r = run(CALLS("1 2 1 3 2"));
  cr_expect(
      strstr(r.err, "the run has used up the 30 tokens that budget= of the rule host=127.0.0.1 gives it"),
      "%s", r.err);
  expect_statuses(&r, "200\n200\n200\n429\n200\n");
  cr_expect_eq(mock_count(&w).served, 2);
  struct run stream = run(
      "for i in 1 2 3; do curl -s -o /dev/null -w '%{http_code}\n' -d "
      "\"{\\\"model\\\":\\\"m\\\",\\\"stream\\\":true,\\\"stream_options\\\":{\\\"include_usage\\\":true},"
      "\\\"n\\\":$i}\" \"$URL\"; done");
  expect_statuses(&stream, "200\n429\n429\n");
}

/* Different questions to a model, one process each. */
#define ASK(model, questions, more)                                                                          \
  "for i in " questions "; do curl -s -o /dev/null -w '%{http_code}\\n' -d "                                 \
  "\"{\\\"model\\\":\\\"" model "\\\"" more ",\\\"n\\\":$i}\" \"$URL\"; done"

static void price(const char *file)
{
  world_env(&w, "IDEMSHIM_PRICES", "%s", world_write(&w, "prices", file, strlen(file)));
}

/* A dollar a token: each answer takes more than half of them. */
Test(budgets, dollars_are_counted_by_the_prices_of_the_file)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 budget=usd:30.00/run");
  price("# dollars for a million\nm 1000000 1000000\n");
  struct run r = run(ASK("m", "1 2 1 3 2", ""));
  cr_expect(strstr(r.err, "the run has used up the $30 that budget= of the rule host=127.0.0.1 gives it"),
            "%s", r.err);
  expect_statuses(&r, "200\n200\n200\n429\n200\n");
  price("{\"provider\\/m\": {\"input_cost_per_token\": 1e-9, \"output_cost_per_token\": 1e-9},\n"
        " \"m\": {\"input_cost_per_token\": 1.0, \"output_cost_per_token\": 1, \"max\": [{\"x\": 2}]}}");
  struct run json = run(ASK("m-2026-01-01", "11 12 13", ""));
  cr_expect(strstr(json.out, "200\n") == json.out && strstr(json.out, "429\n"), "%s%s", json.out, json.err);
  run_release(&json);
  /* As it is written comes first, and that one costs next to nothing. */
  struct run cheap = run(ASK("provider\\/m", "11 12 13", ""));
  expect_statuses(&cheap, "200\n200\n200\n");
}

/* In the language of the program a point may separate thousands. */
Test(budgets, what_is_not_counted_is_said_once_with_its_reason)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 budget=usd:30");
  price("m 1000000 1000000\n");
  struct run unknown =
      run_shim(&w, "curl", "-s", "-d", "{\"model\":\"x\"}", world_url(&w, "/v1/chat/completions?q=1"),
               "--next", "-s", "-d", "{\"model\":\"x\"}", world_url(&w, "/v1/chat/completions?q=2"), NULL);
  struct run silent = run(ASK("m", "1 2 3", ",\\\"stream\\\":true"));
  price("m one 2\n");
  struct run broken = run_shell(&w, ASK("m", "4 5 6", ""));
  char *line = strstr(unknown.err, "does not count some answers: ");
  cr_expect(line && strstr(line, "/prices has no price for x\n") && !strstr(line + 1, "does not count"), "%s",
            unknown.err);
  cr_expect(strstr(silent.err,
                   "budget= of the rule host=127.0.0.1 does not count some answers: they do not say how many "
                   "tokens they took\n"),
            "%s", silent.err);
  cr_expect(strstr(broken.err, "/prices: line 1: expected MODEL INPUT OUTPUT [CACHED [WRITTEN]]"), "%s",
            broken.err);
  run_release(&unknown);
  expect_statuses(&silent, "200\n200\n200\n");
  expect_statuses(&broken, "200\n200\n200\n");
}

Test(budgets, dollars_without_a_file_of_prices_are_a_mistake)
{
  world_env(&w, "IDEMSHIM_RULES", "host=other; host=127.0.0.1 budget=usd:0.50");
  struct run r = run_plain(&w, "idemshim", "check", NULL);
  cr_expect_eq(r.status, 2);
  cr_expect(strstr(r.err, "IDEMSHIM_RULES, rule 2: budget=usd: needs IDEMSHIM_PRICES=FILE"), "%s", r.err);
  price("m 1 1\n");
  struct run good = run_plain(&w, "idemshim", "check", "--all", NULL);
  cr_expect(strstr(good.out, "budget=usd:0.5"), "%s%s", good.out, good.err);
  price("m 1\n");
  struct run bad = run_plain(&w, "idemshim", "check", NULL),
             ran = run_plain(&w, "idemshim", "run", "--", "echo", "it ran", NULL);
  cr_expect_eq(bad.status, 2);
  cr_expect(strstr(bad.err, "rule 2, budget=usd: ") && strstr(bad.err, "/prices: line 1: expected MODEL"),
            "%s", bad.err);
  cr_expect_eq(ran.status, 2);
  cr_expect(ran.out_len == 0 && strstr(ran.err, "/prices: line 1: ") &&
                strstr(ran.err, "; nothing was started\n"),
            "%s%s", ran.out, ran.err);
  run_release(&r);
  run_release(&good);
  run_release(&bad);
  run_release(&ran);
}

/* The second is a repeat, and free. */
Test(budgets, observing_takes_tokens_as_it_would)
{
  world_env(&w, "IDEMSHIM_MODE", "observe");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 budget=tokens:1");
  struct run r = run(CALLS("1 1 2 3"));
  expect_statuses(&r, "200\n200\n200\n200\n");
  cr_expect_eq(log_events(&w, "over_budget"), 2);
}

Test(budgets, one_is_said_as_one)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 budget=calls:1");
  struct run r = run(CALLS("1 2"));
  cr_expect(strstr(r.err, "the run has used up the 1 call that budget= of"), "%s", r.err);
  expect_statuses(&r, "200\n429\n");
}

/* What fails is sent again each time, and each sample is; what is answered from the store is free. */
Test(budgets, one_call_is_sent_so_often_and_no_more)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_repeats=2 status=201");
  struct run failing = run(CALLS("1 1 1 2 1"));
  char *out = file_read(world_path(&w, "out"), &(size_t){0});
  cr_expect(
      strstr(failing.err, "the run has used up the 2 repeats that max_repeats= of the rule host=127.0.0.1"),
      "%s", failing.err);
  cr_expect(out && strstr(out, "This run has sent the same call too often"), "%s", out);
  expect_statuses(&failing, "200\n200\n429\n200\n429\n");
  cr_expect_eq(mock_count(&w).served, 3);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_repeats=2");
  struct run replayed = run(CALLS("1 1 1 1"));
  expect_statuses(&replayed, "200\n200\n200\n200\n");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_repeats=2 repeats=sequence");
  world_env(&w, "IDEMSHIM_SCOPE", "samples");
  struct run samples = run_plain(&w, "idemshim", "run", "--", "curl", "-s", "-w", "%{http_code}\\n", "-d",
                                 "{\"n\":9}", "-o", "/dev/null", world_url(&w, "/v1/chat/completions"), "-o",
                                 "/dev/null", world_url(&w, "/v1/chat/completions"), "-o", "/dev/null",
                                 world_url(&w, "/v1/chat/completions"), NULL);
  expect_statuses(&samples, "200\n200\n429\n");
  free(out);
}

Test(budgets, a_mistake_is_named)
{
  static const char *const mistakes[] = {"budget=2",           "budget=calls:",   "budget=calls:x",
                                         "budget=calls:1/day", "budget=calls:1,", "budget=calls:1,calls:2",
                                         "budget=tokens:2K",   "max_repeats=x",   "budget=",
                                         "budget=usd:",        "budget=usd:1.",   "budget=usd:.5",
                                         "budget=usd:-1",      "budget=usd:1e3",  "budget=usd:0.0000000001"};
  price("m 1 1\n");
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 %s", mistakes[i]);
    struct run r = run_plain(&w, "idemshim", "check", NULL);
    cr_expect_eq(r.status, 2, "%s", mistakes[i]);
    run_release(&r);
  }
}

Test(budgets, more_than_a_number_can_be_is_refused)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 budget=calls:18446744074G");
  struct run r = run_plain(&w, "idemshim", "check", "http://127.0.0.1/", NULL);
  cr_expect_eq(r.status, 2, "exit %d: %s%s", r.status, r.out, r.err);
  cr_expect(strstr(r.err, "budget"), "%s", r.err);
  run_release(&r);
}
