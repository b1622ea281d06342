/* SPDX-License-Identifier: MIT */
/* Handles come and go by the hundred thousand: each is found while it lives, and nothing is left of it. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(handles, .init = open_world, .fini = close_world, .timeout = 600);

/* The smallest allocation takes 32 bytes: half of it for each handle is what comes once, such as a buffer. */
static void expect_no_growth(const char *mode, const char *interface, long count, const char *url,
                             const char *body)
{
  struct run run = run_shim(&w, "many_handles", interface, world_text(&w, "%ld", count), url, body, NULL);
  expect_success(&run);
  long grown = atol(run.out);
  cr_expect_leq(grown, 16 * count, "%s, %s, %s: %ld bytes for %ld handles", mode, interface, url, grown,
                count);
  run_release(&run);
}

Test(handles, leave_nothing_behind_in_any_mode)
{
  static const char *const modes[] = {"off", "observe", "idempotent", "record", "replay"};
  static const char *const interfaces[] = {"easy", "multi"};
  char ours[160];
  snprintf(ours, sizeof ours, "%s", world_url(&w, "/v1/chat/completions"));
  for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
    world_env(&w, "IDEMSHIM_MODE", "%s", modes[m]);
    if (strcmp(modes[m], "record") == 0)
      world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
    world_env(&w, "IDEMSHIM_EXHAUSTED", "last");
    for (size_t i = 0; i < sizeof interfaces / sizeof *interfaces; i++) {
      expect_no_growth(modes[m], interfaces[i], 18000, "file:///dev/null", NULL);
      expect_no_growth(modes[m], interfaces[i], 2000, ours, "{\"prompt\":\"again\"}");
    }
  }
}

Test(handles, are_found_while_others_come_and_go)
{
  struct run run = run_plain(&w, "pointer_map_threads", "3000000", NULL);
  expect_success(&run);
  cr_expect(strncmp(run.out, "0 mistakes", 10) == 0, "%s", run.out);
  run_release(&run);
}
