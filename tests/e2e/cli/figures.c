/* SPDX-License-Identifier: MIT */
/* scripts/performance: what README and the docs say of costs is what was measured last. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

TestSuite(figures, .init = open_world, .fini = close_world);

/* Copies what has figures to $HOME/tree, changes it there, and says what scripts/performance finds. */
static struct run check_after(const char *change)
{
  char source[PATH_MAX];
  cr_assert(getcwd(source, sizeof(source)));
  return run_shell_plain(&w,
                         world_text(&w,
                                    "mkdir \"$HOME/tree\" && cp -r %s/README.md %s/docs \"$HOME/tree\" && "
                                    "cd \"$HOME/tree\" && { %s; } && %s/scripts/performance --check --root .",
                                    source, source, change, source));
}

Test(figures, are_those_of_the_last_measurement)
{
  struct run run = check_after("true");
  cr_expect_eq(run.status, 0, "%s", run.err);
  cr_expect_str_eq(run.out, "");
  run_release(&run);
}

static void expect_finding(const char *change, const char *finding)
{
  struct run run = check_after(change);
  cr_expect_eq(run.status, 1, "%s", run.err);
  cr_expect(strstr(run.out, finding), "%s\n%s", finding, run.out);
  run_release(&run);
}

Test(figures, of_the_readme_that_nobody_has_measured_are_refused)
{
  expect_finding("sed -i 's/a replay of 2 KB: [0-9.]*/a replay of 2 KB: 0.01/' README.md", "README.md:");
}

Test(figures, of_a_table_that_was_changed_by_hand_are_refused)
{
  expect_finding("sed -i '/SHA-256/s/MISSED/met/; /SHA-256/s/[0-9.]* ns/1 ns/' docs/performance.md",
                 "docs/performance.md:");
}

Test(figures, of_a_sentence_that_is_gone_are_missed)
{
  expect_finding("sed -i 's/a replay of 2 KB/an answer/' README.md", "README.md:1: no longer says");
}
