/* SPDX-License-Identifier: MIT */
/* run --durable: a job that is started again until it has ended well makes each call once. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Six steps; it ends with 3 before step $1, and step 4 asks for $2. */
static const char job[] = "#!/bin/sh\n"
                          "for i in 1 2 3 4 5 6; do\n"
                          "  [ $i != \"$1\" ] || exit 3\n"
                          "  p=\"step $i\"; [ $i != 4 ] || p=\"step $i of $2\"\n"
                          "  curl -sS -o /dev/null -d "
                          "'{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"'\"$p\"'\"}]}' "
                          "\"$URL\" || exit 9\n"
                          "done\n";

static void set_up(void)
{
  open_world();
  /* The command itself puts the library first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
  world_write(&w, "job", job, strlen(job));
  world_env(&w, "URL", "%s", world_url(&w, "/v1/chat/completions"));
}

TestSuite(cli_durable, .init = set_up, .fini = close_world);

static struct run start(const char *stop, const char *topic)
{
  return run_plain(&w, "idemshim", "run", "--durable", "night", "--", "sh", world_path(&w, "job"), stop,
                   topic, NULL);
}

static void expect_end(struct run *r, int status, const char *line)
{
  cr_expect_eq(r->status, status, "exit %d: %s", r->status, r->err);
  cr_expect(strstr(r->err, line), "expected \"%s\" in: %s", line, r->err);
  run_release(r);
}

static long runs(void)
{
  struct run r = run_plain(&w, "idemshim", "ls", "--runs", "--json", NULL);
  json_t *list = json_loads(r.out, 0, NULL);
  long count = list ? (long)json_array_size(list) : -1;
  json_decref(list);
  run_release(&r);
  return count;
}

Test(cli_durable, what_was_paid_for_is_not_paid_again_until_it_ends_well)
{
  struct run first = start("5", "a");
  expect_end(&first, 3,
             "idemshim: run night: 0 replayed, 4 sent; unfinished, 4 answers kept: start it again, or "
             "idemshim rm --run night\n");
  cr_expect_eq(runs(), 1);
  struct run second = start("9", "a");
  expect_end(&second, 0, "idemshim: run night: 4 replayed, 2 sent; done, and 6 answers dropped\n");
  cr_expect_eq(mock_count(&w).served, 6);
  cr_expect_eq(runs(), 0);
  struct run anew = start("2", "a");
  expect_end(&anew, 3, "0 replayed, 1 sent; unfinished");
  cr_expect_eq(mock_count(&w).served, 7);
}

Test(cli_durable, the_first_call_that_has_changed_is_named)
{
  struct run first = start("6", "a"), second = start("6", "b");
  expect_end(&first, 3, "5 sent");
  expect_end(&second, 3, "4 replayed, 1 sent; first difference at call 4, JSON /messages/0/content");
}

Test(cli_durable, what_is_unfinished_is_listed_and_can_be_dropped)
{
  struct run first = start("4", "a");
  struct run listed = run_plain(&w, "idemshim", "ls", "--runs", NULL);
  struct run dropped = run_plain(&w, "idemshim", "rm", "--run", "night", NULL);
  struct run again = run_plain(&w, "idemshim", "rm", "--run", "night", NULL);

  run_release(&first);
  cr_expect(strstr(listed.out, "\nnight ") && strstr(listed.out, " 3 "), "%s", listed.out);
  cr_expect(strstr(dropped.out, "removed the run night, 3 answers"), "%s%s", dropped.out, dropped.err);
  cr_expect_eq(again.status, 1);
  cr_expect(strstr(again.err, "there is no run night"), "%s", again.err);
  run_release(&listed);
  run_release(&dropped);
  run_release(&again);
}

Test(cli_durable, a_second_one_of_a_name_is_refused_while_the_first_is_under_way)
{
  struct run first = start_plain(&w, "idemshim", "run", "--durable", "night", "--", "sh", "-c",
                                 "echo up; exec sleep 60", NULL);
  wait_until((run_look(&first), first.out && strstr(first.out, "up")));
  struct run second = start("9", "a");
  struct run other = run_plain(&w, "idemshim", "run", "--durable", "day", "--", "true", NULL);

  expect_end(&second, 2, "the run night is under way already; nothing was started");
  expect_end(&other, 0, "run day: 0 replayed, 0 sent; done");
  cr_expect_eq(mock_count(&w).served, 0);
  run_signal(&first, SIGTERM);
  run_wait(&first);
  cr_expect_eq(first.signal, SIGTERM, "it ends as its program does: %d, %d", first.signal, first.status);
  run_release(&first);
  struct run third = start("2", "a");
  expect_end(&third, 3, "1 sent");
}

Test(cli_durable, a_log_of_the_users_is_read_and_stays_the_users)
{
  struct run counted = start("3", "a");
  expect_end(&counted, 3, "2 sent");
  cr_expect_eq(log_events(&w, "live"), 2);
}

Test(cli_durable, a_log_of_its_own_is_where_temporary_files_are_and_goes_with_the_run)
{
  world_unset(&w, "IDEMSHIM_LOG");
  world_env(&w, "TMPDIR", "%s", world_path(&w, "tmp"));
  struct run made = run_shell_plain(&w, "mkdir \"$TMPDIR\"");
  struct run looking =
      run_plain(&w, "idemshim", "run", "--durable", "day", "--", "sh", "-c", "ls \"$TMPDIR\"", NULL);
  cr_expect(strstr(looking.out, "idemshim-run."), "%s%s", looking.out, looking.err);
  struct run none = start("3", "a");
  expect_end(&none, 3, "0 replayed, 2 sent");
  struct run left = run_shell_plain(&w, "ls \"$TMPDIR\"");
  cr_expect_str_eq(left.out, "");
  run_release(&made);
  run_release(&looking);
  run_release(&left);
}

/* As a supervisor starts its jobs that does not wait for them. */
Test(cli_durable, an_exit_is_known_where_nobody_waits_for_children)
{
  struct run r = run_shell_plain(&w, "trap '' CHLD; exec idemshim run --durable night -- sh -c 'exit 3'");

  expect_end(&r, 3, "run night: 0 replayed, 0 sent; unfinished");
}

Test(cli_durable, signals_reach_the_program)
{
  struct run r = start_plain(&w, "idemshim", "run", "--durable", "night", "--", "sh", "-c",
                             "trap 'echo one' USR1; trap 'echo two; exit 4' USR2; echo up; while :; do sleep "
                             "0.05; done",
                             NULL);

  wait_until((run_look(&r), r.out && strstr(r.out, "up")));
  run_signal(&r, SIGUSR1);
  wait_until((run_look(&r), r.out && strstr(r.out, "one")));
  run_signal(&r, SIGUSR2);
  run_wait(&r);
  cr_expect(strstr(r.out, "two"), "%s", r.out);
  expect_end(&r, 4, "unfinished");
}

/* Its copy goes on with the call when the run is over, and then has a log to write to no more. */
Test(cli_durable, a_program_that_is_killed_leaves_nothing_but_its_answer)
{
  world_unset(&w, "IDEMSHIM_LOG");
  world_env(&w, "TMPDIR", "%s", world_path(&w, "tmp"));
  world_env(&w, "GATED", "%s", world_url(&w, "/v1/chat/completions?mock=gate%3Dlate,gate_first%3D1"));
  struct run made = run_shell_plain(&w, "mkdir \"$TMPDIR\"");
  struct run r = start_plain(&w, "idemshim", "run", "--durable", "night", "--", "sh", "-c",
                             "curl -sS -d '{\"a\":1}' \"$GATED\" & echo \"pid $! .\"; wait $!; exit 3", NULL);
  int pid = 0;

  wait_until((run_look(&r), r.out && sscanf(r.out, "pid %d .", &pid) == 1));
  wait_until(world_orphans(&w) > 0);
  cr_assert_eq(kill(pid, SIGKILL), 0);
  run_wait(&r);
  mock_open(&w, "late");
  wait_until(runs() == 1);
  struct run left = run_shell_plain(&w, "ls \"$TMPDIR\"");
  cr_expect_str_eq(left.out, "");
  cr_expect(!strstr(r.err, "cannot write"), "%s", r.err);
  expect_end(&r, 3, "unfinished");
  run_release(&made);
  run_release(&left);
}

Test(cli_durable, the_key_of_another_store_is_a_mistake)
{
  struct run first = start("2", "a");
  struct run key = run_shell_plain(&w, "head -c 32 /dev/zero >\"$HOME/key\"; chmod 600 \"$HOME/key\"");
  struct run r = run_plain(&w, "idemshim", "run", "--durable", "night", "--key-file", world_path(&w, "key"),
                           "--", "true", NULL);

  expect_end(&r, 2, "nothing was started");
  run_release(&first);
  run_release(&key);
}

Test(cli_durable, mistakes_are_named_and_start_nothing)
{
  static const struct {
    const char *words[4], *message;
  } mistakes[] = {
      {{"--durable", "a b", "--", "true"}, "a name without blanks"},
      {{"--durable", "", "--", "true"}, "a name of 1 to 120 bytes"},
      {{"--durable=n", "--scope=s", "--", "true"}, "leave --scope out"},
      {{"--keep=3d", "--", "true"}, "--keep is for --durable"},
      {{"--durable=n", "--keep=0", "--", "true"}, "expected a duration such as 30d"},
      {{"--durable=n", "--keep=soon", "--", "true"}, "expected a duration such as 30d"},
      {{"--durable=n", "--mode=observe", "--", "true"}, "a durable run is of mode idempotent"},
  };
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    const char *const *word = mistakes[i].words;
    struct run r = run_plain(&w, "idemshim", "run", word[0], word[1], word[2], word[3], NULL);
    expect_end(&r, 2, mistakes[i].message);
  }
}
