/* SPDX-License-Identifier: MIT */
/* replay --fault: what would the program have done if an exchange had ended otherwise? */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
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
      {"429@2", "0 200 N\n0 429 76\n0 200 N\n", "1 of 3 exchanges ends as --fault says"},
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

/* ---- of a live run ---- */

static struct run run_with(const char *faults, const char *script)
{
  world_env(&w, "URL", "%s", world_url(&w, "/v1/chat/completions"));
  return run_plain(&w, "idemshim", "run", "--fault", faults, "--", "sh", "-c", script, NULL);
}

/* The fifth asks what the second did, and the last what the first did. */
static const char live_job[] =
    "for i in 1 2 3 4 2 1; do said=$(curl -s -D \"$HOME/head\" -o \"$HOME/out\" -w '%{http_code}' -m 20 "
    "-d \"{\\\"model\\\":\\\"m\\\",\\\"n\\\":$i}\" \"$URL\"); echo \"$? $said\"; [ $i != 2 ] || cat "
    "\"$HOME/head\" "
    ">> \"$HOME/heads\"; done";

Test(tape_faults, calls_of_a_live_run_end_as_was_asked_and_are_not_sent)
{
  struct run r = run_with("429@2,reset@3,stall:1s@4,503@6", live_job);
  char *heads = file_read(world_path(&w, "heads"), &(size_t){0});

  cr_expect_str_eq(r.out, "0 200\n0 429\n56 000\n28 000\n0 200\n0 503\n", "%s", r.err);
  cr_expect(strstr(r.err, "call 2 is answered with 429, as IDEMSHIM_FAULT says; nothing was sent"), "%s",
            r.err);
  cr_expect(heads && strstr(heads, "X-Idemshim-Fault: 429\r\n"), "%s", heads);
  cr_expect_eq(mock_count(&w).served, 2);
  cr_expect_eq(log_events(&w, "fault"), 4);
  cr_expect_eq(log_events(&w, "stored"), 2);
  free(heads);
  run_release(&r);
}

Test(tape_faults, in_a_multi_and_with_the_programs_own_time_it_is_the_same)
{
  static const char late[] = "curl: (28) Operation timed out after 1000 milliseconds with 0 bytes received";
  if (is_under_thread_sanitizer())
    cr_skip_test(
        "the command preloads the library alone, and the thread sanitizer must see each thread begin");
  struct run multi = run_with(
      "503@1",
      "curl -s -Z --parallel-max 1 -w '%{http_code} ' -d 1 -o /dev/null \"$URL?a\" -o /dev/null \"$URL?b\"");
  struct run reset = run_with(
      "reset@2",
      "curl -sS -Z --parallel-max 1 -w '%{http_code} ' -d 1 -o /dev/null \"$URL?c\" -o /dev/null \"$URL?d\"");
  struct run stalled =
      run_with("stall:1h", "curl -sS -m 1 -d 1 \"$URL?e\"; curl -sS -Z -m 1 -d 1 \"$URL?f\" \"$URL?g\"");

  cr_expect_str_eq(multi.out, "503 200 ", "%s%s", multi.out, multi.err);
  /* Before 7.75 the exit status of `curl -Z` does not tell. */
  cr_expect_str_eq(reset.out, "200 000 ", "%s%s", reset.out, reset.err);
  cr_expect(strstr(reset.err, "curl: (56) "), "%s", reset.err);
  cr_expect_eq(count_of(stalled.err, late), 3, "%s", stalled.err);
  cr_expect(stalled.status == 28 || libcurl_version() < 0x074b00, "%d", stalled.status);
  cr_expect_eq(mock_count(&w).served, 2);
  run_release(&multi);
  run_release(&reset);
  run_release(&stalled);
}

Test(tape_faults, what_a_live_run_cannot_have_is_refused)
{
  static const char *const mistakes[] = {"cut", "cut@0.5@2", "99", "429@", "429,,", "stall"};
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    struct run r = run_with(mistakes[i], "echo started");
    cr_expect_eq(r.status, 2, "%s", mistakes[i]);
    cr_expect_eq(r.out_len, 0, "%s", mistakes[i]);
    run_release(&r);
  }
  world_env(&w, "IDEMSHIM_TAPE", "%s", world_path(&w, "tape"));
  struct run taped = run_with("429", "echo started");
  cr_expect_eq(taped.status, 2);
  cr_expect(strstr(taped.err, "IDEMSHIM_FAULT: not while a tape is recorded"), "%s", taped.err);
  run_release(&taped);
}
