/* SPDX-License-Identifier: MIT */
/* The shim knows what each option of the libcurl at hand means to a replay. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>

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
