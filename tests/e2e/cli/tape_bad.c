/* SPDX-License-Identifier: MIT */
/* idemshim tape, on what is no tape, is damaged, or has another key: one message, exit 2. */
#include "tests/e2e/cli/tape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void expect_bad(const char *dir, const char *text)
{
  static const char *const commands[][3] = {{"ls"},     {"show", "1"},       {"diff", "."},
                                            {"verify"}, {"export", "--har"}, {"report"}};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    const char *argv[] = {"idemshim", "tape", commands[i][0], dir, commands[i][1], NULL};
    struct run r = run_argv(&w, false, argv);
    cr_expect_eq(r.status, 2, "%s: exit %d: %s", commands[i][0], r.status, r.err);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    cr_expect(strstr(r.err, text), "%s: expected \"%s\" in: %s", commands[i][0], text, r.err);
    cr_expect_eq(strchr(r.err, '\n'), r.err + r.err_len - 1, "%s: not one line: %s", commands[i][0], r.err);
    run_release(&r);
  }
}

static const char *tape_of_one_file(const char *name, const void *bytes, size_t len)
{
  const char *dir = world_path(&w, name);
  cr_assert_eq(mkdir(dir, 0700), 0);
  world_write(&w, world_text(&w, "%s/00000001.tape", name), bytes, len);
  return dir;
}

Test(cli_tape, what_is_no_tape_is_one_message_and_exit_2)
{
  size_t len;
  char *bytes = file_read(world_text(&w, "%s/00000001.tape", tape("day")), &len);

  expect_bad(world_path(&w, "nowhere"), "there is no tape at ");
  expect_bad(w.dir, "is not a tape: there is no file like 00000001.tape in it");
  expect_bad(tape_of_one_file("text", "hello", 5), "is not a tape: it does not begin with");
  expect_bad(tape_of_one_file("empty", "", 0), "is not a tape");
  expect_bad(tape_of_one_file("short", bytes, 100), "is damaged");
  bytes[8] = 9;
  expect_bad(tape_of_one_file("newer", bytes, len), "the tape has version 9, this idemshim knows version 3");
  free(bytes);
}

Test(cli_tape, a_key_that_is_missing_or_wrong_is_one_message_and_exit_2)
{
  world_write(&w, "right", "a test key of thirty-two bytes!!", 32);
  world_write(&w, "wrong", "another test key of 32 bytes !!!", 32);
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_path(&w, "right"));
  const char *dir = tape("day");
  struct run r = run_plain(&w, "idemshim", "tape", "verify", dir, NULL);
  expect_says(&r, 0, "encrypted");
  cr_expect_not(file_contains(dir, "Summarise"));

  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_path(&w, "wrong"));
  expect_bad(dir, "was encrypted with another key than the one given");
  world_unset(&w, "IDEMSHIM_KEY_FILE");
  expect_bad(dir, "the tape is encrypted; --tape-key-file or IDEMSHIM_TAPE_KEY_FILE names its key");
  r = run_plain(&w, "idemshim", "tape", "ls", "--key-file", world_path(&w, "right"), dir, NULL);
  expect_says(&r, 0, "OPERATION_TIMEDOUT");
}

/* Either option is the key, before any variable; the one that is for a tape alone wins. */
Test(cli_tape, each_command_that_opens_a_tape_takes_its_key_by_either_option)
{
  static const char *const commands[] = {"tape ls KEY day",
                                         "tape show KEY day 1",
                                         "tape diff KEY day day",
                                         "tape verify KEY day",
                                         "tape export KEY --har day",
                                         "tape report KEY day",
                                         "replay KEY day -- true",
                                         "record KEY -o day -- true",
                                         "tape import KEY --hosts api.example.com -o day day.har",
                                         "check KEY"};
  world_write(&w, "right", "a test key of thirty-two bytes!!", 32);
  world_write(&w, "wrong", "another test key of 32 bytes !!!", 32);
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_path(&w, "right"));
  tape("day");
  struct run har =
      run_shell_plain(&w, world_text(&w, "cd %s && idemshim tape export --har -o day.har day", w.dir));
  expect_success(&har);
  world_unset(&w, "IDEMSHIM_KEY_FILE");
  world_env(&w, "IDEMSHIM_TAPE_KEY_FILE", "%s", world_path(&w, "wrong"));
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    static const char *const keys[][2] = {{"--key-file right", "0"},
                                          {"--tape-key-file right", "0"},
                                          {"--key-file wrong --tape-key-file right", "0"},
                                          {"--tape-key-file right --key-file wrong", "0"},
                                          {"--key-file right --tape-key-file wrong", "[23]"},
                                          {"", "[23]"}};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
      /* What `check` opens is the tape of a replay, which has a variable for its place and
       * none of ours for its key. */
      bool check = strncmp(commands[i], "check", 5) == 0;
      if (check && strncmp(keys[k][0], "--key-file right", 16) == 0)
        continue;
      const char *at = strstr(commands[i], "KEY");
      struct run r = run_shell_plain(
          &w, world_text(&w,
                         "cd %s && %s idemshim %.*s%s%s >out 2>err; code=$?; case $code in %s) ;; *) echo "
                         "\"$code\"; cat err ;; esac",
                         w.dir, check ? "IDEMSHIM_MODE=replay IDEMSHIM_TAPE=day" : "",
                         (int)(at - commands[i]), commands[i], keys[k][0], at + 3, keys[k][1]));
      cr_expect_str_eq(r.out, "", "%s with \"%s\": %s%s", commands[i], keys[k][0], r.out, r.err);
      run_release(&r);
    }
  }
  world_unset(&w, "IDEMSHIM_TAPE_KEY_FILE");
  expect_bad(world_path(&w, "day"), "--tape-key-file or IDEMSHIM_TAPE_KEY_FILE names its key");
  run_release(&har);
}

Test(cli_tape, what_is_damaged_is_named_and_the_rest_is_there)
{
  size_t len;
  char *bytes = file_read(world_text(&w, "%s/00000001.tape", tape("day")), &len);
  bytes[len - 1] ^= 1;
  bytes[300] ^= 1;
  const char *dir = tape_of_one_file("damaged", bytes, len);
  struct run ls = run_plain(&w, "idemshim", "tape", "ls", dir, NULL);
  struct run verify = run_plain(&w, "idemshim", "tape", "verify", dir, NULL);
  struct run json = run_plain(&w, "idemshim", "tape", "verify", "--json", dir, NULL);
  cr_expect_eq(verify.status, 1);
  cr_expect(strstr(ls.out, "OPERATION_TIMEDOUT"), "%s", ls.out);
  expect_says(&ls, 0, "0 torn and 1 damaged record is left out");
  expect_says(&verify, 1, "00000001.tape: the record at offset 128 is damaged");
  json_t *totals = document(&json);
  cr_expect_eq(number_at(totals, "damaged"), 2);
  cr_expect_eq(number_at(totals, "exchanges"), 14);
  json_decref(totals);
  free(bytes);
}
