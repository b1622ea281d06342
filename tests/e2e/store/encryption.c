/* SPDX-License-Identifier: MIT */
/* IDEMSHIM_KEY_FILE: a program sees no difference, and whoever reads the disk sees nothing. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32));
}

TestSuite(sealed_store, .init = set_up, .fini = close_world);

static const char prompt[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a plain question\"}]}";

static struct run ask(const char *target)
{
  return run_shim(&w, "curl", "-sSi", CURL_JSON(prompt), world_url(&w, target), NULL);
}

Test(sealed_store, a_second_run_makes_no_call_and_the_disk_has_no_word_of_it)
{
  static const char target[] = "/v1/chat/completions?mock=echo%3D1";
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  struct run first = ask(target), again = ask(target);
  expect_success(&first);
  cr_expect_eq(strip_marks(again.out), 4);
  cr_expect_eq(mock_count(&w).requests, 1);
  expect_same_bytes("headers and body", first.out, strlen(first.out), again.out, strlen(again.out));
  static const char *const words[] = {"plain question", "chat.completion", "/v1/chat"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    cr_expect_not(file_contains(w.store, words[i]), "%s in the store", words[i]);
    cr_expect_not(file_contains(world_path(&w, "tape"), words[i]), "%s on the tape", words[i]);
  }
  run_release(&first);
  run_release(&again);
}

Test(sealed_store, a_large_answer_at_its_pace_is_the_same)
{
  static const char target[] = "/v1/chat/completions?mock=size%3D400000";
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mark=off pace=original");
  struct run first = ask(target), again = ask(target);
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  struct run by_transport = ask(target);
  expect_success(&first);
  expect_same_output(&first, &again);
  expect_same_output(&first, &by_transport);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&again);
  run_release(&by_transport);
}

Test(sealed_store, another_key_is_said_and_the_call_goes_out)
{
  struct run first = ask("/v1/chat/completions");
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_write(&w, "other", "fedcba9876543210fedcba9876543210", 32));
  struct run other = ask("/v1/chat/completions");
  world_unset(&w, "IDEMSHIM_KEY_FILE");
  struct run none = ask("/v1/chat/completions");
  expect_success(&first);
  expect_success(&other);
  expect_success(&none);
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect(log_contains(&w, "encrypted with another key"));
  cr_expect(log_contains(&w, "the store is encrypted; --key-file or IDEMSHIM_KEY_FILE names its key"));
  run_release(&first);
  run_release(&other);
  run_release(&none);
}

Test(sealed_store, a_key_file_that_is_a_pipe_holds_nobody_up)
{
  const char *pipe = world_path(&w, "a-pipe");
  cr_assert_eq(mkfifo(pipe, 0600), 0, "%m");
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", pipe);
  struct run r = ask("/v1/chat/completions");
  expect_success(&r);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect(log_contains(&w, "the key cannot be read"));
  run_release(&r);
}

/* Who can write it can put a key there that they know. */
Test(sealed_store, a_key_file_that_others_may_write_is_not_used)
{
  static const mode_t modes[] = {0620, 0602, 0666};
  const char *key = world_path(&w, "key");
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    cr_assert_eq(chmod(key, modes[i]), 0, "%m");
    struct run r = ask("/v1/chat/completions"), command = run_plain(&w, "idemshim", "ls", NULL);
    expect_success(&r);
    cr_expect_eq(mock_count(&w).requests, (long)i + 1, "and never an answer in the clear");
    cr_expect_not(file_contains(w.store, "plain question"));
    cr_expect(command.status == 3, "%s", command.err);
    run_release(&r);
    run_release(&command);
  }
  cr_expect(log_contains(&w, "neither its group nor others may write"));
  cr_assert_eq(chmod(key, 0640), 0, "%m");
  struct run first = ask("/v1/chat/completions"), again = ask("/v1/chat/completions");
  cr_expect_eq(mock_count(&w).requests, 4);
  run_release(&first);
  run_release(&again);
}

Test(sealed_store, a_key_file_of_another_user_is_not_used)
{
  const char *key = world_path(&w, "key");
  if (geteuid() != 0)
    cr_skip_test("only root can give a file away");
  cr_assert_eq(chown(key, 65534, 65534), 0, "%m");
  struct run r = ask("/v1/chat/completions");
  expect_success(&r);
  cr_expect(log_contains(&w, "expected a file of root or of the user of this process"));
  run_release(&r);
}

Test(sealed_store, the_command_takes_the_same_variable)
{
  static const char *const commands[] = {"ls", "verify", "stats", "gc", "explain"};
  struct run first = ask("/v1/chat/completions");
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    struct run r = run_plain(&w, "idemshim", commands[i], NULL);
    cr_expect(r.status == 0 || (r.status == 1 && strcmp(commands[i], "explain") == 0), "%s: %d %s",
              commands[i], r.status, r.err);
    run_release(&r);
  }
  struct run shown = run_shell_plain(
      &w, "idemshim show --request $(idemshim ls --json | grep -o '[0-9a-f]\\{16\\}' | head -n 1)");
  cr_expect_str_eq(shown.out, prompt, "%s", shown.err);
  world_unset(&w, "IDEMSHIM_KEY_FILE");
  struct run none = run_plain(&w, "idemshim", "ls", NULL);
  cr_expect_eq(none.status, 3);
  cr_expect(strstr(none.err, "the store is encrypted; --key-file or IDEMSHIM_KEY_FILE names its key"), "%s",
            none.err);
  world_env(&w, "IDEMSHIM_KEY_FILE", "/no/such/key");
  struct run absent = run_plain(&w, "idemshim", "ls", NULL);
  cr_expect_eq(absent.status, 3);
  cr_expect(strstr(absent.err, "the key cannot be read"), "%s", absent.err);
  run_release(&first);
  run_release(&shown);
  run_release(&none);
  run_release(&absent);
}
