/* SPDX-License-Identifier: MIT */
/* A durable run of a machine that shares its answers. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(fleet_durable, .init = open_fleet, .fini = close_fleet);

static void expect_run(const char *exit, const char *line)
{
  struct run r = run_shell_plain(
      &w, world_text(&w,
                     "idemshim run --durable night -- sh -c 'for i in 1 2; do "
                     "curl -sS -o /dev/null -d \"{\\\"n\\\":$i}\" \"$URL\" || exit 9; done; exit %s'",
                     exit));
  cr_expect(strstr(r.err, line), "expected \"%s\" in: %s", line, r.err);
  run_release(&r);
}

Test(fleet_durable, begins_anew_once_it_has_ended_well)
{
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
  world_env(&w, "URL", "%s", world_url(&w, "/v1/chat/completions"));
  expect_run("3", "0 replayed, 2 sent; unfinished, 2 answers kept");
  expect_run("0", "2 replayed, 0 sent; done, and 2 answers dropped");
  expect_run("3", "0 replayed, 2 sent; unfinished");
  cr_expect_eq(mock_count(&w).served, 4);
}
