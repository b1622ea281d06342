/* SPDX-License-Identifier: MIT */
/* Calls whose body is a form, and that are given up: before all of it is sent, and after. */
#include "tests/e2e/replay/form.h"

#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(rescue_forms, .init = open_world, .fini = close_world, .timeout = 120);

ParameterizedTestParameters(rescue_forms, a_form_that_is_sent_is_paid_once)
{
  static struct form_case cases[] = {
      {"data"},    {"escaped"},        {"file"},      {"reader"},     {"sized-reader"}, {"parts"},
      {"headers"}, {"base64"},         {"related"},   {"no-parts"},   {"duplicate"},    {"alternative"},
      {"list"},    {"base64-claimed"}, {"list-file"}, {"list-files"}, {"list-buffer"},
  };
  return cr_make_param_array(struct form_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct form_case *form_case, rescue_forms, a_form_that_is_sent_is_paid_once)
{
  const char *name = form_case->name, *text = form_text(&w, name);
  mock_default(&w, "latency_ms=1500");
  world_env(&w, "POST_TIMEOUT_MS", "500");
  struct run run = form(&w, true, name, text, "more.png");
  cr_expect(strstr(run.out, "rc=28"), "%s: %s", name, run.out);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(log_events(&w, "rescued"), 1, "%s", name);
  world_env(&w, "POST_TIMEOUT_MS", "30000");
  struct run again = form(&w, true, name, text, "more.png");
  cr_expect(strstr(again.out, "rc=0 status=200"), "%s: %s", name, again.out);
  cr_expect_eq(mock_count(&w).requests, 1, "%s", name);
  run_release(&run);
  run_release(&again);
}

/* The copy has no descriptor of its file, which libcurl reads as it sends. */
Test(rescue_forms, a_form_that_is_not_sent_yet_times_out_and_says_so)
{
  size_t size = 2 << 20;
  char *bytes = calloc(1, size);
  char file[300];
  snprintf(file, sizeof(file), "file=@%s", world_write(&w, "large", bytes, size));
  struct run run = run_shim(&w, "curl", "-sS", "--max-time", "1", "--limit-rate", "50k", "-F", file,
                            world_url(&w, FORM_TARGET), NULL);
  cr_expect_eq(run.status, 28);
  cr_expect_eq(log_events(&w, "rescue"), 0);
  cr_expect_eq(log_events(&w, "bypass"), 1);
  cr_expect(log_contains(&w, "not rescued: the form is not sent yet"));
  struct run again = run_shim(&w, "curl", "-sS", "-F", file, world_url(&w, FORM_TARGET), NULL);
  expect_success(&again);
  cr_expect_eq(log_events(&w, "in_doubt"), 1);
  cr_expect_eq(log_events(&w, "stored"), 1);
  run_release(&run);
  run_release(&again);
  free(bytes);
}
