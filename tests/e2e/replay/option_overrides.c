/* SPDX-License-Identifier: MIT */
/* What transport lends to libcurl for a replay is the app's again for the next live call, option by option.
 */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 method=GET,HEAD,POST,PUT,PATCH");
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
}

TestSuite(lent, .init = set_up, .fini = close_world, .timeout = 180);

/* Answers that are not stored: they have no body that ends as JSON does. */
static bool is_never_replayed(const char *name)
{
  return strcmp(name, "head") == 0 || strcmp(name, "digest") == 0;
}

static void expect_no_trace(const char *name)
{
  const char second[] = "second: rc=0 requests=0\n";
  world_store_anew(&w);
  struct run plain = run_plain(&w, "option_overrides", name, NULL);
  struct run shim = run_shim(&w, "option_overrides", name, NULL);
  expect_success(&plain);
  expect_success(&shim);
  cr_expect_str_eq(plain.out, shim.out, "%s:\n%sand not\n%s", name, shim.out, plain.out);
  char *replayed = strstr(shim.err, second), *sent = strstr(plain.err, "second: ");
  cr_assert(sent);
  cr_expect(replayed || is_never_replayed(name), "%s: %s", name, shim.err);
  cr_expect_str_eq(strchr(sent, '\n'), strchr(replayed ? replayed : strstr(shim.err, "second: "), '\n'),
                   "%s: %s", name, shim.err);
  run_release(&plain);
  run_release(&shim);
}

static void expect_no_trace_of_any(void)
{
  struct run names = run_plain(&w, "option_overrides", NULL);
  int count = 0;
  for (char *name = strtok(names.out, "\n"); name; name = strtok(NULL, "\n"), count++)
    expect_no_trace(name);
  cr_expect_gt(count, 30);
  run_release(&names);
}

Test(lent, every_option_is_the_app_s_again)
{
  expect_no_trace_of_any();
}

Test(lent, and_so_it_is_with_a_tape)
{
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  expect_no_trace_of_any();
}

/* A tape has libcurl's words of a failure from a buffer of ours, where the app has none. */
Test(lent, a_call_that_fails_after_a_taped_one_writes_to_nothing_of_the_app_s)
{
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  for (int transport = 0; transport < 2; transport++) {
    world_env(&w, "IDEMSHIM_DELIVERY", transport ? "transport" : "auto");
    struct run run = run_shim(&w, "option_overrides", "error", NULL);
    expect_success(&run);
    cr_expect_str_eq(run.out, "rc=0\nrc=7 changed=0\n", "%s", run.out);
    run_release(&run);
  }
}
