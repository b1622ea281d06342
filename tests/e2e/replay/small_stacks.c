/* SPDX-License-Identifier: MIT */
/* Threads with small stacks, on which libcurl works. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(odd_stacks, .init = open_world, .fini = close_world);

static struct run call_on(const char *kilobytes, const char *depth)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's own frames are larger than these stacks");
  return run_shim(&w, "small_stack", world_url(&w, "/v1/chat/completions"), kilobytes, depth, NULL);
}

Test(odd_stacks, on_the_smallest_a_call_goes_live_and_says_so_once)
{
  struct run run = call_on("16", "1");
  expect_success(&run);
  cr_expect(strstr(run.out, "rc=0 status=200"), "%s", run.out);
  cr_expect(log_contains(&w, "64 KB of stack"));
  cr_expect_eq(log_events(&w, "stored"), 0);
  run_release(&run);
}

Test(odd_stacks, on_a_hundred_kilobytes_a_call_is_stored_and_replayed)
{
  struct run first = call_on("100", "1"), again = call_on("100", "1");
  expect_success(&first);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&again);
}

Test(odd_stacks, deep_json_is_not_taken_apart)
{
  struct run first = call_on("100", "2000"), again = call_on("100", "2000"), other = call_on("100", "1999");
  expect_success(&first);
  expect_success(&other);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&first);
  run_release(&again);
  run_release(&other);
}
