/* SPDX-License-Identifier: MIT */
/* The shim knows what each option of the libcurl at hand means to a replay. */
#include "tests/harness/harness.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct world w;

static void open_world(void)
{
  world_open(&w, 0);
}

static void close_world(void)
{
  world_close(&w);
}

TestSuite(options, .init = open_world, .fini = close_world);

Test(options, have_a_row_each)
{
  struct run run = run_plain(&w, "option_rows", NULL);
  expect_success(&run);
  long count = strtol(run.out, NULL, 10);
  cr_expect_neq(run.out[0], 'C', "no row in shim/handle/options.h for:\n%s", run.out);
  cr_expect(count == 0 || count > 200, "%ld options", count);
  run_release(&run);
}
