/* SPDX-License-Identifier: MIT */
/* idemshim record and replay: what the program gets, what is refused, and what is left behind. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_up(void)
{
  open_world();
  world_unset(&w, "IDEMSHIM_STORE");
  world_unset(&w, "IDEMSHIM_SYNC");
  cr_assert_eq(mkdir(world_path(&w, "run"), 0700), 0);
  world_env(&w, "XDG_RUNTIME_DIR", "%s/run", w.dir);
  /* A sanitized library in a program that is not: its runtime cannot come first, and sh leaks by design. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

TestSuite(cli_replay, .init = set_up, .fini = close_world);

static const char *tape(void)
{
  return world_path(&w, "tape");
}

static void record(const char *script)
{
  struct run r = run_plain(&w, "idemshim", "record", "-o", tape(), "--", "sh", "-c", script, NULL);
  expect_success(&r);
  run_release(&r);
}

static const char *call(const char *body, const char *target)
{
  return world_text(&w, "curl -sS " CURL_JSON_WORDS " '%s' '%s'", body, world_url(&w, target));
}

static int state_files(void)
{
  int count = 0;
  DIR *dir = opendir(world_path(&w, "run"));
  cr_assert_not_null(dir);
  for (struct dirent *entry; (entry = readdir(dir));)
    count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

Test(cli_replay, the_variables_are_those_of_the_options)
{
  record(call("{}", "/v1/chat/completions"));
  struct run r = run_plain(
      &w, "idemshim", "replay", "--pace", "2.5", "--match=loose", "--exhausted=last", "--rules",
      "host=a.example", "--hosts", "b.example", "--log", "stderr", tape(), "--", "sh", "-c",
      "env | grep ^IDEMSHIM | grep -v -e STATE -e CONFIG -e RUN= | sort; test -w \"$IDEMSHIM_REPLAY_STATE\"",
      NULL);

  expect_success(&r);
  cr_expect_str_eq(r.out,
                   world_text(&w,
                              "IDEMSHIM_EXHAUSTED=last\nIDEMSHIM_HOSTS=b.example\nIDEMSHIM_LOG=stderr\n"
                              "IDEMSHIM_MATCH=loose\nIDEMSHIM_MODE=replay\nIDEMSHIM_PACE=2.5\n"
                              "IDEMSHIM_RULES=host=a.example\nIDEMSHIM_SUMMARY=on\nIDEMSHIM_TAPE=%s\n",
                              tape()));
  run_release(&r);
}

Test(cli_replay, the_nth_call_of_a_run_of_many_processes_gets_the_nth_outcome)
{
  const char *one = call("{}", "/v1/chat/completions?mock=fail_first%3D2:429");
  const char *script = world_text(&w, "%s; %s; %s", one, one, one);
  struct run live = run_plain(&w, "idemshim", "record", "-o", tape(), "sh", "-c", script, NULL);
  mock_stop(&w);
  struct run again = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", script, NULL);

  expect_success(&live);
  cr_expect(strstr(live.out, "rate_limit") && strstr(live.out, "chatcmpl"), "%s", live.out);
  expect_same_output(&live, &again);
  run_release(&live);
  run_release(&again);
}

Test(cli_replay, the_state_file_goes_with_the_program)
{
  record(call("{}", "/v1/chat/completions"));
  struct run ends = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", "exit 7", NULL);
  struct run killed = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", "kill -9 $$", NULL);
  struct run absent = run_plain(&w, "idemshim", "replay", tape(), "no-such-program", NULL);

  cr_expect_eq(ends.status, 7);
  cr_expect_eq(killed.signal, 9);
  cr_expect_eq(absent.status, 127);
  wait_until(state_files() == 0);
  run_release(&ends);
  run_release(&killed);
  run_release(&absent);
}

Test(cli_replay, a_tape_that_is_none_starts_nothing)
{
  const char *empty = world_path(&w, "empty"), *file = world_write(&w, "file", "text", 4);
  cr_assert_eq(mkdir(empty, 0700), 0);
  const char *const dirs[] = {world_path(&w, "absent"), file, empty};
  for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
    struct run r = run_plain(&w, "idemshim", "replay", dirs[i], "--", "echo", "started", NULL);

    cr_expect_eq(r.status, 2, "%s", dirs[i]);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    cr_expect(strstr(r.err, dirs[i]) && strstr(r.err, "nothing was started"), "%s", r.err);
    run_release(&r);
  }
  cr_expect_eq(state_files(), 0);
}

Test(cli_replay, another_key_starts_nothing)
{
  const char *one = world_write(&w, "one", "0123456789abcdef0123456789abcdef", 32);
  const char *other = world_write(&w, "other", "fedcba9876543210fedcba9876543210", 32);
  struct run live = run_plain(&w, "idemshim", "record", "-o", tape(), "--key-file", one, "sh", "-c",
                              call("{\"q\":\"plain words\"}", "/v1/chat/completions"), NULL);
  struct run right = run_plain(&w, "idemshim", "replay", "--key-file", one, tape(), "sh", "-c",
                               call("{\"q\":\"plain words\"}", "/v1/chat/completions"), NULL);
  struct run wrong =
      run_plain(&w, "idemshim", "replay", "--key-file", other, tape(), "echo", "started", NULL);
  struct run none = run_plain(&w, "idemshim", "replay", tape(), "echo", "started", NULL);

  expect_success(&live);
  expect_same_output(&live, &right);
  cr_expect_not(file_contains(tape(), "plain words"));
  cr_expect_eq(wrong.status, 2);
  cr_expect_eq(none.status, 2);
  cr_expect_eq(wrong.out_len + none.out_len, 0);
  cr_expect(strstr(wrong.err, "key") && strstr(none.err, "key"), "%s%s", wrong.err, none.err);
  run_release(&live);
  run_release(&right);
  run_release(&wrong);
  run_release(&none);
}

Test(cli_replay, a_tape_may_be_encrypted_beside_a_store_that_is_not)
{
  const char *key = world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32);
  const char *script = call("{\"q\":\"plain words\"}", "/v1/chat/completions");
  struct run first = run_plain(&w, "idemshim", "run", "--store", w.store, "sh", "-c", script, NULL);
  struct run again = run_plain(&w, "idemshim", "run", "--store", w.store, "--tape", tape(), "--tape-key-file",
                               key, "sh", "-c", script, NULL);
  mock_stop(&w);
  world_env(&w, "IDEMSHIM_TAPE_KEY_FILE", "%s", key);
  struct run replayed = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", script, NULL);
  struct run listed = run_plain(&w, "idemshim", "tape", "ls", tape(), NULL);

  expect_success(&first);
  expect_same_output(&first, &again);
  expect_same_output(&first, &replayed);
  expect_success(&listed);
  cr_expect_eq(log_events(&w, "hit"), 1);
  cr_expect_not(file_contains(tape(), "plain words"));
  run_release(&first);
  run_release(&again);
  run_release(&replayed);
  run_release(&listed);
}

Test(cli_replay, a_tape_that_cannot_be_recorded_on_starts_nothing)
{
  const char *key = world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32);
  const char *file = world_write(&w, "file", "text", 4);
  record("true");
  struct run other =
      run_plain(&w, "idemshim", "record", "-o", tape(), "--key-file", key, "echo", "started", NULL);
  struct run none = run_plain(&w, "idemshim", "record", "-o", file, "echo", "started", NULL);
  const char *fresh = world_path(&w, "fresh");
  struct run keyless = run_plain(&w, "idemshim", "record", "-o", fresh, "--tape-key-file",
                                 world_path(&w, "no-key"), "echo", "started", NULL);

  cr_expect_eq(other.status, 2);
  cr_expect_eq(none.status, 2);
  cr_expect_eq(other.out_len + none.out_len, 0);
  cr_expect(strstr(other.err, "is not encrypted"), "%s", other.err);
  cr_expect_eq(keyless.status, 2);
  cr_expect(strstr(keyless.err, "no-key") && strstr(keyless.err, "nothing was started"), "%s", keyless.err);
  cr_expect_neq(access(fresh, F_OK), 0);
  cr_expect(strstr(none.err, "nothing was started"), "%s", none.err);
  run_release(&other);
  run_release(&keyless);
  run_release(&none);
}

Test(cli_replay, an_edit_replaces_the_body_of_one_exchange)
{
  const char *first = call("{\"n\":1}", "/v1/chat/completions"),
             *second = call("{\"n\":2}", "/v1/chat/completions");
  const char *script = world_text(&w, "%s >/dev/null; %s -i -w ' %%{size_download}'", first, second);
  record(script);
  world_write(&w, "fixed.json", "{\"fixed\":true}", 14);
  struct run r =
      run_plain(&w, "sh", "-c", "cd \"$HOME\" && idemshim replay --edit 2=fixed.json tape -- sh -c \"$0\"",
                script, NULL);

  expect_success(&r);
  cr_expect(strstr(r.out, "Content-Length: 14\r\n"), "%s", r.out);
  cr_expect(strstr(r.out, "\r\n\r\n{\"fixed\":true} 14"), "%s", r.out);
  run_release(&r);
}

Test(cli_replay, an_edit_that_cannot_be_made_starts_nothing)
{
  record(call("{}", "/v1/chat/completions"));
  const char *file = world_write(&w, "fixed", "x", 1);
  const char *const edits[] = {"1",
                               "x=y",
                               "1=/no/such/file",
                               world_text(&w, "1=%s", world_path(&w, ".")),
                               world_text(&w, "2=%s", file),
                               world_text(&w, "0=%s", file)};
  for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
    struct run r = run_plain(&w, "idemshim", "replay", "--edit", edits[i], tape(), "echo", "started", NULL);

    cr_expect_eq(r.status, 2, "%s", edits[i]);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    cr_expect(strstr(r.err, "--edit"), "%s", r.err);
    run_release(&r);
  }
}

Test(cli_replay, a_command_and_a_tape_are_asked_for)
{
  struct run no_command = run_plain(&w, "idemshim", "replay", tape(), "--", NULL);
  struct run no_tape = run_plain(&w, "idemshim", "record", "echo", "started", NULL);

  cr_expect_eq(no_command.status, 2);
  cr_expect(strstr(no_command.err, "a command is missing"), "%s", no_command.err);
  cr_expect_eq(no_tape.status, 2);
  cr_expect(strstr(no_tape.err, "no tape is named") && strstr(no_tape.err, "record -o DIR"), "%s",
            no_tape.err);
  run_release(&no_command);
  run_release(&no_tape);
}

Test(cli_replay, a_call_that_was_not_recorded_names_the_nearest_and_the_difference)
{
  record(call("{\"messages\":[{\"content\":\"today is 2026-11-21\"}]}", "/v1/chat/completions"));
  const char *other = call("{\"messages\":[{\"content\":\"today is 2026-11-22\"}]}", "/v1/chat/completions");
  struct run exact = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", other, NULL);
  struct run loose = run_plain(&w, "idemshim", "replay", "--match=loose", tape(), "sh", "-c", other, NULL);

  cr_expect_eq(exact.status, 7);
  cr_expect_eq(exact.out_len, 0);
  cr_expect(strstr(exact.err, "curl: (7) "), "%s", exact.err);
  cr_expect(strstr(exact.err, "exchange 1"), "%s", exact.err);
  cr_expect(strstr(exact.err, "/messages/0/content"), "%s", exact.err);
  expect_success(&loose);
  cr_expect_eq(log_events(&w, "not_recorded"), 1);
  cr_expect_eq(log_events(&w, "loosened"), 1);
  run_release(&exact);
  run_release(&loose);
}

Test(cli_replay, a_call_more_than_was_recorded_is_an_error_or_the_last_again)
{
  const char *one = call("{}", "/v1/chat/completions");
  record(one);
  const char *two = world_text(&w, "%s && %s", one, one);
  struct run error = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", two, NULL);
  struct run last = run_plain(&w, "idemshim", "replay", "--exhausted=last", tape(), "sh", "-c", two, NULL);

  cr_expect_eq(error.status, 7);
  expect_success(&last);
  cr_expect_eq(last.out_len, 2 * error.out_len);
  run_release(&error);
  run_release(&last);
}
