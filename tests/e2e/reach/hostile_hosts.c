/* SPDX-License-Identifier: MIT */
/* Places in which programs of others run: with other preloads and auditors, confined, with handles without
 * number, stopped and continued by whoever likes. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(hostile_hosts, .init = open_world, .fini = close_world, .timeout = 180);

static const char target[] = "/v1/chat/completions";

static void no_sanitizer(void)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first");
}

/* Two equal calls of curl with what `setting` puts into the environment: one goes out. */
static void expect_one_call(const char *setting, const char *preload)
{
  struct run runs[2];
  for (int i = 0; i < 2; i++) {
    runs[i] = run_plain(&w, "env", setting, preload, "curl", "-sS", "-i", "-d", "{\"prompt\":1}",
                        world_url(&w, target), NULL);
    expect_success(&runs[i]);
    cr_expect_str_eq(runs[i].err, "", "%s", setting);
  }
  cr_expect_eq(mock_count(&w).requests, 1, "%s, %s", setting, preload);
  cr_expect_not_null(strstr(runs[1].out, "X-Idempotency-Replayed: true"), "%s", setting);
  run_release(&runs[0]);
  run_release(&runs[1]);
}

static const char *ours(void)
{
  return world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build);
}

Test(hostile_hosts, all_symbols_are_bound_at_the_start)
{
  no_sanitizer();
  expect_one_call("LD_BIND_NOW=1", ours());
}

Test(hostile_hosts, an_auditor_looks_at_each_binding)
{
  no_sanitizer();
  expect_one_call(world_text(&w, "LD_AUDIT=%s/tests/audit.so", w.build), ours());
}

/* Of one that comes first each transfer is seen by both. */
Test(hostile_hosts, another_preload_of_the_same_names_comes_first)
{
  no_sanitizer();
  size_t len;
  const char *seen = world_path(&w, "seen");
  world_env(&w, "OTHER_PRELOAD", "%s", seen);
  expect_one_call("A=1",
                  world_text(&w, "LD_PRELOAD=%s/tests/other_preload.so %s/libidemshim.so", w.build, w.build));
  char *count = file_read(seen, &len);
  cr_expect(count && strcmp(count, "1") == 0, "%s", count);
  free(count);
}

Test(hostile_hosts, another_preload_of_the_same_names_comes_behind)
{
  no_sanitizer();
  expect_one_call("A=1",
                  world_text(&w, "LD_PRELOAD=%s/libidemshim.so %s/tests/other_preload.so", w.build, w.build));
}

Test(hostile_hosts, a_hundred_thousand_handles_are_held_at_once)
{
  no_sanitizer();
  struct run run = run_shim(&w, "held_handles", "100000", world_url(&w, target), NULL);
  expect_success(&run);
  cr_expect_str_eq(run.out, "100000 handles\n");
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(log_events(&w, "hit"), 99);
  run_release(&run);
}

/* Its store is out of sight from then on, and what was opened before goes on; what it cannot do it says once.
 * */
Test(hostile_hosts, a_program_confines_itself_to_a_directory)
{
  const char *jail = world_path(&w, "jail"), *url = world_url(&w, target);
  mkdir(jail, 0755);
  struct run plain = run_plain(&w, "confined", jail, url, NULL);
  if (plain.status == 3)
    cr_skip_test("only root may confine itself");
  mock_reset(&w);
  struct run run = run_shim(&w, "confined", jail, url, NULL);
  cr_expect_eq(run.status, plain.status);
  cr_expect_leq(mock_count(&w).requests, 3);
  size_t lines = 0;
  for (const char *at = run.err; (at = strchr(at, '\n')); at++)
    lines++;
  cr_expect_leq(lines, 1, "%s", run.err);
  run_release(&plain);
  run_release(&run);
}

/* As a terminal's user, a debugger and a container's freezer do. */
Test(hostile_hosts, a_program_is_stopped_and_continued_at_random)
{
  unsigned long calls = 0, wrong = 1, failed = 1;
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=1m");
  struct run run =
      start_shim(&w, "soak", world_url(&w, "/v1/chat/completions?mock=echo=1"), "4", "1000", "0", NULL);
  unsigned seed = 20261128;
  for (int i = 0; i < 100; i++) {
    usleep((unsigned)rand_r(&seed) % 30000);
    run_signal(&run, SIGSTOP);
    usleep((unsigned)rand_r(&seed) % 15000);
    run_signal(&run, SIGCONT);
  }
  run_wait(&run);
  expect_success(&run);
  cr_assert_eq(sscanf(run.out, "calls=%lu wrong=%lu failed=%lu", &calls, &wrong, &failed), 3, "%s", run.out);
  cr_expect_gt(calls, 0);
  cr_expect_eq(wrong + failed, 0, "%s", run.err);
  run_release(&run);
}
