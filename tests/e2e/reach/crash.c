/* SPDX-License-Identifier: MIT */
/* The short form of scripts/crash: some programs are killed, on one machine and on two. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(crash, .init = open_world, .fini = close_world, .timeout = 300);

static void crash(const char *how, unsigned least)
{
  unsigned kills = 0, answers = 0;
  struct run run = run_shell_plain(&w, world_text(&w, "scripts/crash %s --kills %u --seed %u '%s'", how,
                                                  least, (unsigned)getpid(), w.build));
  cr_expect_eq(run.status, 0, "%s%s", run.out, run.err);
  const char *counted = strstr(run.out, "counted: ");
  cr_assert_not_null(counted, "%s%s", run.out, run.err);
  cr_assert_eq(sscanf(counted, "counted: kills=%u operations=%*u answers=%u", &kills, &answers), 2, "%s",
               counted);
  cr_expect_eq(kills, least);
  cr_expect_gt(answers, 0);
  run_release(&run);
}

Test(crash, what_a_program_was_given_outlives_it)
{
  crash("", 40);
}

Test(crash, what_a_program_was_given_outlives_it_on_two_machines)
{
  if (access(world_text(&w, "%s/libidemshim-fleet.so", w.build), F_OK) != 0)
    cr_skip_test("libidemshim-fleet.so is not built: hiredis or c-ares is missing");
  crash("--fleet", 20);
}
