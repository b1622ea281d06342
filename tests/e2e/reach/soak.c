/* SPDX-License-Identifier: MIT */
/* A program that calls in all ways at once, for as long as it likes: scripts/soak watches it for an hour,
 * here it is held for a moment to what it was answered. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(soak, .init = open_world, .fini = close_world, .timeout = 120);

Test(soak, all_ways_of_calling_at_once_have_their_own_answers)
{
  unsigned long calls = 0, wrong = 1, failed = 1;
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=1m");
  struct run run =
      run_shim(&w, "soak", world_url(&w, "/v1/chat/completions?mock=echo=1"), "3", "1000", "0", NULL);
  expect_success(&run);
  cr_assert_eq(sscanf(run.out, "calls=%lu wrong=%lu failed=%lu", &calls, &wrong, &failed), 3, "%s", run.out);
  cr_expect_gt(calls, 0);
  cr_expect_eq(wrong + failed, 0);
  cr_expect_gt(log_events(&w, "hit"), 0);
  cr_expect_gt(log_events(&w, "stored"), 0);
  wait_until(world_orphans(&w) == 0);
  cr_expect_gt(log_events(&w, "rescued"), 0);
  run_release(&run);
}
