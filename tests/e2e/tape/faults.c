/* SPDX-License-Identifier: MIT */
/* replay --fault: what would the program have done if an exchange had ended otherwise? */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  /* The command itself puts the library first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

TestSuite(tape_faults, .init = set_up, .fini = close_world);

/* Three calls, one after the other, each told in a line: result, status, bytes. */
static const char job[] =
    "for i in 1 2 3; do said=$(curl -s -o \"$HOME/out\" -w '%{http_code} %{size_download}' -m 20 "
    "-d \"{\\\"model\\\":\\\"m\\\",\\\"n\\\":$i}\" \"$URL\"); echo \"$? $said\"; done";

static const char *record(void)
{
  const char *dir = world_path(&w, "tape");
  world_env(&w, "URL", "%s", world_url(&w, "/v1/chat/completions"));
  struct run r = run_plain(&w, "idemshim", "record", "-o", dir, "--", "sh", "-c", job, NULL);
  expect_success(&r);
  run_release(&r);
  return dir;
}

static struct run replay(const char *faults, const char *pace)
{
  return run_plain(&w, "idemshim", "replay", "--fault", faults, "--pace", pace, world_path(&w, "tape"), "--",
                   "sh", "-c", job, NULL);
}

Test(tape_faults, each_kind_is_what_libcurl_says_of_it_and_the_others_stay)
{
  static const struct {
    const char *faults, *lines, *told;
  } rows[] = {
      {"429@2", "0 200 N\n0 429 76\n0 200 N\n", "1 of 3 exchanges end as --fault says"},
      {"reset@1,503@3", "56 000 0\n0 200 N\n0 503 76\n", "2 of 3 exchanges"},
      {"cut@0.5@2", "0 200 N\n18 200 H\n0 200 N\n", "1 of 3 exchanges"},
      {"stall:30s@2", "0 200 N\n28 000 0\n0 200 N\n", "1 of 3 exchanges"},
      {"500", "0 500 76\n0 500 76\n0 500 76\n", "3 of 3 exchanges"},
      {"reset,404@2", "56 000 0\n0 404 76\n56 000 0\n", "3 of 3 exchanges"},
  };
  record();
  long sent = mock_count(&w).served;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct run r = replay(rows[i].faults, "instant");
    char seen[256] = "";
    int code, status, bytes;
    for (char *line = strtok(r.out, "\n"); line; line = strtok(NULL, "\n")) {
      size_t used = strlen(seen);
      cr_assert_eq(sscanf(line, "%d %d %d", &code, &status, &bytes), 3, "%s", line);
      const char *size = bytes > 400 ? "N" : bytes > 200 ? "H" : world_text(&w, "%d", bytes);
      snprintf(seen + used, sizeof seen - used, "%d %03d %s\n", code, status, size);
    }
    cr_expect_str_eq(seen, rows[i].lines, "%s: %s", rows[i].faults, r.err);
    cr_expect(strstr(r.err, rows[i].told), "%s", r.err);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).served, sent, "a replay sends nothing");
}

Test(tape_faults, the_tape_stays_as_it_was_and_the_copy_goes)
{
  const char *dir = record();
  world_env(&w, "TMPDIR", "%s", world_path(&w, "tmp"));
  struct run before = run_shell_plain(&w, world_text(&w, "mkdir \"$TMPDIR\"; cat %s/* | cksum", dir));
  struct run r = replay("429@2", "instant");
  struct run after = run_shell_plain(&w, world_text(&w, "cat %s/* | cksum", dir));
  expect_same_output(&before, &after);
  struct run left = run_shell_plain(&w, "for i in 1 2 3 4 5 6 7 8 9 10; do [ -z \"$(ls \"$TMPDIR\")\" ] && "
                                        "exit 0; sleep 1; done; ls \"$TMPDIR\"");
  cr_expect_str_eq(left.out, "");
  run_release(&before);
  run_release(&r);
  run_release(&after);
  run_release(&left);
}

Test(tape_faults, mistakes_are_named_and_start_nothing)
{
  static const char *const mistakes[][2] = {
      {"429@4", "the tape has exchanges 1 to 3"}, {"99", "--fault 99: expected a status such as 429"},
      {"cut@1.5", "expected a status"},           {"stall:soon", "expected a status"},
      {"reset@x", "expected a status"},           {"", "expected a status"}};
  record();
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    struct run r = replay(mistakes[i][0], "instant");
    cr_expect_eq(r.status, 2, "%s", mistakes[i][0]);
    cr_expect(strstr(r.err, mistakes[i][1]), "%s: %s", mistakes[i][0], r.err);
    cr_expect_eq(r.out_len, 0);
    run_release(&r);
  }
}
