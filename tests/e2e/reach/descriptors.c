/* SPDX-License-Identifier: MIT */
/* Programs that have few descriptors left: libcurl gets what it would have without us. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(descriptors, .init = open_world, .fini = close_world);

static struct run call(bool shim, const char *when, int free)
{
  const char *number = world_text(&w, "%d", free), *url = world_url(&w, "/v1/chat/completions");
  const char *argv[] = {"few_descriptors", when, number, url, world_text(&w, "{\"free\":%d}", free), NULL};
  return run_argv(&w, shim, argv);
}

static void expect_as_without_us(const char *when)
{
  static const int left[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 17, 18, 24, 31, 32, 33, 40};
  for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
    struct run plain = call(false, when, left[i]), shim = call(true, when, left[i]);
    const char *without = strstr(plain.out, "call rc="), *with = strstr(shim.out, "call rc=");
    cr_assert(without && with, "%s%s", plain.out, shim.out);
    cr_expect_eq(atoi(with + 8), atoi(without + 8), "%s, %d free: %s%s", when, left[i], shim.out, shim.err);
    run_release(&plain);
    run_release(&shim);
  }
}

Test(descriptors, the_first_call_goes_out_without_the_store)
{
  expect_as_without_us("first");
}

Test(descriptors, a_later_call_goes_out_without_a_claim)
{
  expect_as_without_us("later");
  cr_expect(log_contains(&w, "few descriptors are left"));
}

Test(descriptors, where_there_are_enough_a_call_is_stored_and_replayed)
{
  struct run first = call(true, "first", 60), again = call(true, "first", 60);
  expect_success(&first);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&again);
}

/* Ours are among them. What the store had is opened anew, and protection goes on. */
static void expect_protection_goes_on(const char *how)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "closes_descriptors", how, url, NULL);
  expect_success(&plain);
  mock_reset(&w);
  struct run first = run_shim(&w, "closes_descriptors", how, url, NULL);
  expect_success(&first);
  cr_expect_eq(mock_count(&w).requests, 3, "%s: %ld requests", how, mock_count(&w).requests);
  cr_expect_eq(log_events(&w, "stored"), 3, "%s", how);
  struct run again = run_shim(&w, "closes_descriptors", how, url, NULL);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 3, "%s", how);
  run_release(&plain);
  run_release(&first);
  run_release(&again);
}

Test(descriptors, that_a_daemon_closes_are_opened_anew)
{
  expect_protection_goes_on("close");
}

Test(descriptors, that_close_range_closes_are_opened_anew)
{
  expect_protection_goes_on("range");
}

Test(descriptors, whose_numbers_are_the_apps_by_now_are_not_touched)
{
  expect_protection_goes_on("reuse");
}
