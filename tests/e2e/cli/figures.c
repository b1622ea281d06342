/* SPDX-License-Identifier: MIT */
/* scripts/performance: what README and the docs say of costs is what was measured last. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Answers of one kind, as many as a dictionary takes, in an archive of the script's own making. */
static struct run compress(int count)
{
  return run_shell_plain(
      &w,
      world_text(
          &w,
          "/usr/bin/python3 -c 'import json, random\n"
          "word = lambda: random.choice([\"call\", \"answer\", \"store\", \"retry\", \"token\"])\n"
          "text = lambda: json.dumps({\"model\": \"m\", \"content\": \" \".join(word() for _ in "
          "range(99))})\n"
          "entry = lambda: {\"request\": {\"postData\": {\"text\": text()}}, "
          "\"response\": {\"content\": {\"text\": text()}}}\n"
          "print(json.dumps({\"log\": {\"entries\": [entry() for _ in range(%d)]}}))' >\"$HOME/own.har\" && "
          "scripts/compression \"$HOME/own.har\"",
          count));
}

Test(figures, of_compression_are_of_ones_own_traffic)
{
  if (system("command -v zstd >/dev/null"))
    cr_skip_test("there is no zstd");
  struct run few = compress(20), run = compress(400);
  double file, bytes, with_requests;
  cr_expect_eq(few.status, 1);
  cr_expect_not_null(strstr(few.err, "too few to train with"), "%s", few.err);
  cr_expect_eq(run.status, 0, "%s", run.err);
  const char *all = strstr(run.out, "| all | 200 |");
  cr_assert_not_null(all, "%s", run.out);
  cr_assert_eq(sscanf(all, "| all | 200 | %*[0-9,] | %lf | %lf | %lf", &bytes, &file, &with_requests), 3);
  cr_expect_gt(bytes, 1, "words of five are shorter: %s", all);
  cr_expect_geq(with_requests, file, "%s", all);
  run_release(&few);
  run_release(&run);
}
