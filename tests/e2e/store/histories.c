/* SPDX-License-Identifier: MIT */
/* What processes do with a store, at random, keeps what a model says (tests/histories), and the model would
 * see it if it did not. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

TestSuite(histories, .init = open_bare_world, .fini = close_world, .timeout = 300);

Test(histories, of_many_processes_keep_every_promise)
{
  struct run run = run_plain(&w, "histories", world_path(&w, "histories"), "20261126", "60", NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "histories=60 ") && strstr(run.out, " wrong=0\n"), "%s", run.out);
  run_release(&run);
}

ParameterizedTestParameters(histories, a_planted_fault_is_found)
{
  static char faults[][16] = {"foreign",  "removed", "expired", "second", "paid",  "beside",  "undoubted",
                              "upstream", "failed",  "lost",    "again",  "stuck", "vanished"};
  return cr_make_param_array(char[16], faults, sizeof(faults) / sizeof(*faults));
}
ParameterizedTest(char (*fault)[16], histories, a_planted_fault_is_found)
{
  struct run run = run_plain(&w, "histories", world_path(&w, "histories"), "1", "400", *fault, NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, ": found after "), "%s", run.out);
  run_release(&run);
}
