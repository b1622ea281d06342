/* SPDX-License-Identifier: MIT */
/* scripts/instructions: a hit that has become slower by a tenth is a finding, and one
 * that has not is none. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set_up(void)
{
  open_world();
  if (system("command -v valgrind >/dev/null") != 0)
    cr_skip_test("valgrind is not installed");
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's build has counts of its own");
  setenv("IDEM_RUN_DEADLINE_MS", "600000", 0); /* it compiles, and counts under valgrind */
}

TestSuite(instructions, .init = set_up, .fini = close_world, .timeout = 600);

/* $1 and $2 are the sources and the build. They go to $HOME/tree, so that what $3 changes there costs what a
 * file costs. What the hit costs is kept before it, with the number of instructions that are a tenth of it in
 * $tenth. */
static const char script[] = "exec 2>&1\n"
                             "set -e\n"
                             "mkdir -p \"$HOME/tree/build/tests\"\n"
                             "cd \"$1\"\n"
                             "cp -a Makefile config store tape fleet shim cli tests scripts \"$HOME/tree\"\n"
                             "cp -a \"$2\"/obj \"$2\"/*.so \"$HOME/tree/build\"\n"
                             "cp -a \"$2\"/tests/bench \"$HOME/tree/build/tests\"\n"
                             "cd \"$HOME/tree\"\n"
                             "scripts/instructions --file kept --only hit --write\n"
                             "tenth=$(awk '!/^#/ { print int($3 / 10) }' kept)\n"
                             "eval \"$3\"\n"
                             "make -s build/libidemshim.so\n"
                             "scripts/instructions --file kept --only hit\n";

static struct run count_after(const char *change)
{
  char source[PATH_MAX];
  cr_assert(getcwd(source, sizeof(source)));
  return run_plain(&w, "sh", world_write(&w, "count", script, sizeof(script) - 1), source, w.build, change,
                   NULL);
}

Test(instructions, the_same_hit_is_no_finding)
{
  struct run run = count_after("touch shim/replay/direct.c");
  cr_expect_eq(run.status, 0, "%s", run.out);
  cr_expect(strstr(run.out, " before"), "%s", run.out);
  run_release(&run);
}

Test(instructions, a_hit_that_is_slower_by_a_tenth_is_a_finding)
{
  struct run run =
      count_after("sed -i \"/^static CURLcode deliver_chunk/,/^{/s/^{/{ __asm__ volatile(\\\".rept $tenth; "
                  "nop; .endr\\\");/\" shim/replay/direct.c");
  cr_expect_eq(run.status, 1, "%s", run.out);
  cr_expect(strstr(run.out, "MORE than"), "%s", run.out);
  run_release(&run);
}
