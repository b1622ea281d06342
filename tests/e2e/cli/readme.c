/* SPDX-License-Identifier: MIT */
/* What the README shows and counts, beside its commands (documented.c): the demos, and a
 * batch that is killed. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_up(void)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first");
  open_world();
}

TestSuite(readme, .init = set_up, .fini = close_world, .timeout = 300);

/* What is another each time becomes a #: a word with a digit and a point in it (a time, an address),
 * an id; and a date goes. */
static void mask(char *text)
{
  char *out = text;
  for (const char *at = text; *at;) {
    size_t len = strcspn(at, " \n");
    bool digits = false, differs = false;
    for (size_t i = 0; i < len; i++) {
      digits |= isdigit((unsigned char)at[i]) != 0;
      differs |= at[i] == '.';
    }
    differs = digits && (differs || len == sizeof "575139c3efca2d90" - 1);
    if (strncmp(at, "X-Original-Request-Time:", 24) == 0) {
      memmove(out, at, 24);
      out += 24;
      at += strcspn(at, "\n");
    } else if (differs) {
      *out++ = '#';
      at += len;
    } else {
      memmove(out, at, len);
      out += len;
      at += len;
    }
    if (*at)
      *out++ = *at++;
  }
  *out = '\0';
}

/* What stands in the README between two texts; the caller's to free. */
static char *readme_between(const char *begin, const char *end)
{
  char *text = file_read("README.md", &(size_t){0});
  cr_assert(text);
  char *from = strstr(text, begin), *to = from ? strstr(from + strlen(begin), end) : NULL;
  cr_assert(to, "the README has no \"%s\" any more", begin);
  *to = '\0';
  char *out = strdup(from + strlen(begin));
  free(text);
  return out;
}

Test(readme, the_demo_is_as_it_shows)
{
  struct run demo = run_shell_plain(&w, world_text(&w, "scripts/demo '%s' 2>&1", w.build));
  char *shown = readme_between("```text\n", "```");
  expect_success(&demo);
  for (char *cr; (cr = strchr(demo.out, '\r'));)
    memmove(cr, cr + 1, strlen(cr));
  mask(demo.out);
  mask(shown);
  cr_expect(strstr(demo.out, shown), "the README shows\n%s\nand the demo\n%s", shown, demo.out);
  free(shown);
  run_release(&demo);
}

Test(readme, the_demo_of_many_machines_pays_once)
{
  struct run there = run_shell_plain(&w, "command -v redis-server");
  if (there.status != 0)
    cr_skip_test("redis-server is not installed");
  struct run demo = run_plain(&w, "scripts/demo-fleet", w.build, NULL);
  expect_success(&demo);
  cr_expect(strstr(demo.out, "each question was paid for once"), "%s", demo.out);
  run_release(&there);
  run_release(&demo);
}

/* ---- a batch that may die ---- */

enum { PROMPTS = 40, KILLS = 5 };

/* Every eighth prompt is answered once its gate is open: each time it is asked, the same. */
static void write_batch(void)
{
  static char words[PROMPTS * 200];
  size_t len = 0;
  for (int i = 1; i <= PROMPTS; i++) {
    bool held = i % (PROMPTS / KILLS) == 0;
    len += (size_t)snprintf(words + len, sizeof words - len,
                            "url=%s%s%.1s\ndata={\"prompt\":%d}\noutput=/dev/null\nsilent\n%s",
                            world_url(&w, "/v1/chat/completions"), held ? "?mock=gate_first%3D1,gate%3D" : "",
                            held ? &"abcde"[i / (PROMPTS / KILLS) - 1] : "", i, i < PROMPTS ? "next\n" : "");
  }
  world_write(&w, "batch", words, len);
  const char *app = "#!/bin/sh\nexec curl -K \"$HOME/batch\"\n";
  cr_assert_eq(chmod(world_write(&w, "summarise-all", app, strlen(app)), 0700), 0);
}

static struct run start_batch(const char *guard)
{
  return start_plain(&w, "idemshim", "run", "--scope", "nightly-2026-11-26", "--rules",
                     world_text(&w, "host=127.0.0.1 guard=%s", guard), "--", world_path(&w, "summarise-all"),
                     NULL);
}

/* It is killed each time when a held prompt has arrived, and started again until it is done. How many calls
 * that were; under guard=on without those of a program that is killed in the moment before it has a guard,
 * which are in doubt. */
static long calls_of_a_night(const char *guard)
{
  bool guarded = strcmp(guard, "on") == 0;
  int doubts = log_events(&w, "in_doubt");
  mock_reset(&w);
  for (int kill = 0; kill < KILLS; kill++) {
    struct run batch = start_batch(guard);
    wait_until(mock_count(&w).requests ==
                   PROMPTS / KILLS * (kill + 1) + log_events(&w, "in_doubt") - doubts &&
               (!guarded || world_orphans(&w) > 0));
    run_signal(&batch, SIGKILL);
    run_wait(&batch);
    cr_expect_eq(batch.signal, SIGKILL);
    mock_open(&w, world_text(&w, "%.1s", &"abcde"[kill]));
    wait_until(world_orphans(&w) == 0);
    run_release(&batch);
  }
  struct run last = start_batch(guard);
  run_wait(&last);
  expect_success(&last);
  run_release(&last);
  return mock_count(&w).requests - (guarded ? log_events(&w, "in_doubt") - doubts : 0);
}

Test(readme, a_batch_that_is_killed_costs_what_it_says)
{
  write_batch();
  long guarded = calls_of_a_night("on");
  struct run forgotten = run_plain(&w, "idemshim", "rm", "--all", "--yes", NULL);
  long bare = calls_of_a_night("off");
  char *said = readme_between("has begun: ", ".");
  const char *expected = world_text(
      &w, "%d prompts under a program that is killed with -9 five times are %ld calls, and %ld without it",
      PROMPTS, guarded, bare);

  expect_success(&forgotten);
  for (char *line; (line = strchr(said, '\n'));)
    *line = ' ';
  cr_expect_eq(guarded, PROMPTS);
  cr_expect_eq(bare, PROMPTS + KILLS);
  cr_expect(strstr(said, expected), "the README says: %s; seen: %s", said, expected);
  free(said);
  run_release(&forgotten);
}
