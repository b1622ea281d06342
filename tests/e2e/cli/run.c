/* SPDX-License-Identifier: MIT */
/* idemshim run: what the program gets, what is refused, and what it exits with. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each test says itself what is configured. */
TestSuite(cli_run, .init = open_bare_world, .fini = close_world);

static void expect_line(const struct run *r, const char *line)
{
  cr_expect(strstr(world_text(&w, "\n%.450s", r->out), world_text(&w, "\n%s\n", line)),
            "no line \"%s\" in:\n%s", line, r->out);
}

Test(cli_run, each_option_sets_its_variable)
{
  struct run r = run_plain(&w, "idemshim", "run", "--mode", "observe", "--store", "/nonexistent/s", "--scope",
                           "job-1", "--rules", "host=a.example", "--hosts", "b.example", "--log", "stderr",
                           "--store-size", "2M", "--no-sync", "--tape", "/nonexistent/t", "--tape-size", "3M",
                           "--tape-age", "7d", "--key-file", "/nonexistent/k", "--tape-key-file",
                           "/nonexistent/tk", "--", "sh", "-c", "env | grep ^IDEMSHIM", NULL);

  expect_success(&r);
  expect_line(&r, "IDEMSHIM_MODE=observe");
  expect_line(&r, "IDEMSHIM_STORE=/nonexistent/s");
  expect_line(&r, "IDEMSHIM_SCOPE=job-1");
  expect_line(&r, "IDEMSHIM_RULES=host=a.example");
  expect_line(&r, "IDEMSHIM_HOSTS=b.example");
  expect_line(&r, "IDEMSHIM_LOG=stderr");
  expect_line(&r, "IDEMSHIM_STORE_SIZE=2M");
  expect_line(&r, "IDEMSHIM_SYNC=off");
  expect_line(&r, "IDEMSHIM_TAPE=/nonexistent/t");
  expect_line(&r, "IDEMSHIM_TAPE_SIZE=3M");
  expect_line(&r, "IDEMSHIM_TAPE_AGE=7d");
  expect_line(&r, "IDEMSHIM_KEY_FILE=/nonexistent/k");
  expect_line(&r, "IDEMSHIM_TAPE_KEY_FILE=/nonexistent/tk");
  run_release(&r);
}

Test(cli_run, paths_are_absolute_because_programs_change_directory)
{
  struct run r =
      run_shell_plain(&w, "cd \"$HOME\" && echo host=a.example > my.rules && idemshim run --store s --log l "
                          "--rules @my.rules -- sh -c 'env | grep ^IDEMSHIM'");

  expect_success(&r);
  expect_line(&r, world_text(&w, "IDEMSHIM_STORE=%s/s", w.dir));
  expect_line(&r, world_text(&w, "IDEMSHIM_LOG=%s/l", w.dir));
  expect_line(&r, world_text(&w, "IDEMSHIM_RULES=@%s/my.rules", w.dir));
  run_release(&r);
}

Test(cli_run, the_library_comes_first_and_what_was_preloaded_stays)
{
  struct run r = run_shell_plain(&w, "LD_PRELOAD=libm.so.6 idemshim run sh -c 'echo \"$LD_PRELOAD\"; grep -c "
                                     "libidemshim.so /proc/self/maps'");

  cr_expect_eq(r.status, 0, "%s", r.err);
  cr_expect(strstr(r.out, world_text(&w, "%s/libidemshim.so:libm.so.6\n", w.build)), "%s", r.out);
  cr_expect(!strstr(r.out, "\n0\n"), "the library is not loaded: %s", r.out);
  run_release(&r);
}

Test(cli_run, the_library_is_not_named_twice)
{
  struct run r = run_shell_plain(&w, "idemshim run idemshim run sh -c 'echo \"$LD_PRELOAD\"'");

  expect_success(&r);
  cr_expect_str_eq(r.out, world_text(&w, "%s/libidemshim.so\n", w.build));
  run_release(&r);
}

Test(cli_run, options_after_the_program_are_its_own)
{
  struct run r = run_plain(&w, "idemshim", "run", "echo", "--mode", "none", "--help", NULL);

  expect_success(&r);
  cr_expect_str_eq(r.out, "--mode none --help\n");
  run_release(&r);
}

Test(cli_run, it_exits_as_its_program_does)
{
  struct run seven = run_plain(&w, "idemshim", "run", "--", "sh", "-c", "exit 7", NULL);
  struct run killed = run_plain(&w, "idemshim", "run", "--", "sh", "-c", "kill -9 $$", NULL);

  cr_expect_eq(seven.status, 7);
  cr_expect_eq(killed.signal, 9);
  run_release(&seven);
  run_release(&killed);
}

Test(cli_run, a_program_that_cannot_be_started_is_127_or_126_as_with_env)
{
  struct run absent = run_plain(&w, "idemshim", "run", "no-such-program", NULL);
  struct run no_program = run_plain(&w, "idemshim", "run", world_write(&w, "data", "text", 4), NULL);

  cr_expect_eq(absent.status, 127);
  cr_expect(strstr(absent.err, "no-such-program: No such file"), "%s", absent.err);
  cr_expect_eq(no_program.status, 126);
  run_release(&absent);
  run_release(&no_program);
}

Test(cli_run, a_mistake_in_the_configuration_starts_nothing)
{
  struct run rule =
      run_plain(&w, "idemshim", "run", "--rules", "host=a.example ttl=soon", "echo", "started", NULL);
  world_env(&w, "IDEMSHIM_MODE", "sometimes");
  struct run variable = run_plain(&w, "idemshim", "run", "echo", "started", NULL);

  cr_expect_eq(rule.status, 2);
  cr_expect_eq(rule.out_len, 0, "%s", rule.out);
  cr_expect(strstr(rule.err, "rule 1, field ttl, column"), "%s", rule.err);
  cr_expect_eq(variable.status, 2);
  cr_expect_eq(variable.out_len, 0, "%s", variable.out);
  cr_expect(strstr(variable.err, "IDEMSHIM_MODE"), "%s", variable.err);
  run_release(&rule);
  run_release(&variable);
}

Test(cli_run, a_key_that_the_store_does_not_have_starts_nothing)
{
  const char *one = world_write(&w, "one", "0123456789abcdef0123456789abcdef", 32);
  const char *other = world_write(&w, "other", "fedcba9876543210fedcba9876543210", 32);
  const char *hosts = world_text(&w, "127.0.0.1:%d", w.port), *url = world_url(&w, "/v1/chat/completions");
  const char *sealed = world_path(&w, "sealed"), *plain = world_path(&w, "plain");
  struct run first = run_plain(&w, "idemshim", "run", "--store", sealed, "--key-file", one, "--hosts", hosts,
                               "curl", "-sS", "-d", "{}", url, NULL);
  struct run second = run_plain(&w, "idemshim", "run", "--store", plain, "--hosts", hosts, "curl", "-sS",
                                "-d", "{}", url, NULL);
  expect_success(&first);
  expect_success(&second);
  const char *const refused[][2] = {{sealed, other}, {sealed, NULL}, {plain, one}};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    const char *const with[] = {"idemshim",    "run",  "--store", refused[i][0], "--key-file",
                                refused[i][1], "echo", "started", NULL};
    const char *const without[] = {"idemshim", "run", "--store", refused[i][0], "echo", "started", NULL};
    struct run r = run_argv(&w, false, refused[i][1] ? with : without);

    cr_expect_eq(r.status, 2);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    cr_expect(strstr(r.err, "encrypted") && strstr(r.err, "nothing was started"), "%s", r.err);
    run_release(&r);
  }
  struct run asks = run_plain(&w, "idemshim", "ls", "--store", sealed, NULL);
  struct run lists = run_plain(&w, "idemshim", "ls", "--store", sealed, "--key-file", one, NULL);
  cr_expect_eq(asks.status, 3);
  cr_expect(strstr(asks.err, "--key-file or IDEMSHIM_KEY_FILE"), "%s", asks.err);
  expect_success(&lists);
  cr_expect(strstr(lists.out, "/v1/chat/completions"), "%s", lists.out);
  run_release(&first);
  run_release(&second);
  run_release(&asks);
  run_release(&lists);
}

Test(cli_run, a_mode_that_needs_a_tape_starts_nothing_without_one)
{
  static const char *const modes[] = {"record", "replay"};
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    struct run r = run_plain(&w, "idemshim", "run", "--mode", modes[i], "echo", "started", NULL);

    cr_expect_eq(r.status, 2);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    cr_expect(strstr(r.err, "no tape is named"), "%s", r.err);
    run_release(&r);
  }
}

/* Programs that a preload cannot work in. */

/* Debian's own static program, which every system has. */
#define STATIC_PROGRAM "/sbin/ldconfig"

Test(cli_run, a_tape_that_a_mode_does_not_write_is_said)
{
  const char *tape = world_path(&w, "tape");
  struct run run = run_plain(&w, "idemshim", "run", "--mode", "observe", "--tape", tape, "true", NULL);
  world_env(&w, "IDEMSHIM_TAPE", "%s", tape);
  struct run check = run_shell_plain(&w, "IDEMSHIM_MODE=observe idemshim check");

  expect_success(&run);
  expect_success(&check);
  cr_expect_str_eq(run.err,
                   "idemshim: run: warning: mode observe writes no tape; idempotent and record do\n");
  cr_expect(strstr(check.out, world_text(&w, "%s (not used in this mode)", tape)), "%s", check.out);
  run_release(&run);
  run_release(&check);
}

Test(cli_run, a_static_program_is_warned_of_and_run)
{
  struct run r = run_plain(&w, "idemshim", "run", STATIC_PROGRAM, "--version", NULL);

  cr_expect_eq(r.status, 0);
  cr_expect(strstr(r.out, "ldconfig"), "%s", r.out);
  cr_expect(strstr(r.err, "warning: " STATIC_PROGRAM " is linked statically"), "%s", r.err);
  run_release(&r);
}

Test(cli_run, a_script_is_judged_by_its_interpreter)
{
  static const char bad[] = "#! " STATIC_PROGRAM " --version\n", good[] = "#!/bin/sh\necho ran\n";
  const char *static_script = world_write(&w, "bad", bad, sizeof bad - 1);
  const char *shell_script = world_write(&w, "good", good, sizeof good - 1);
  cr_assert_eq(chmod(static_script, 0700), 0);
  cr_assert_eq(chmod(shell_script, 0700), 0);
  struct run warned = run_plain(&w, "idemshim", "run", static_script, NULL);
  struct run quiet = run_plain(&w, "idemshim", "run", shell_script, NULL);

  cr_expect(strstr(warned.err, "is a script for " STATIC_PROGRAM ", which is linked statically"), "%s",
            warned.err);
  cr_expect_str_eq(quiet.out, "ran\n");
  cr_expect_eq(quiet.err_len, 0, "%s", quiet.err);
  run_release(&warned);
  run_release(&quiet);
}

Test(cli_run, a_setuid_program_is_warned_of)
{
  const char *program = "/bin/su";
  if (geteuid() == 0) { /* for whom a program of root's is not setuid */
    struct run copy =
        run_shell_plain(&w, "cp /bin/true \"$HOME/other\" && chown 1 \"$HOME/other\" && chmod 4755 "
                            "\"$HOME/other\" \"$HOME\" && chmod 755 \"$HOME\"");
    expect_success(&copy);
    run_release(&copy);
    program = world_path(&w, "other");
  }
  struct run r = run_plain(&w, "idemshim", "run", program, "--version", NULL);

  cr_expect(strstr(r.err, world_text(&w, "warning: %s is setuid", program)), "%s", r.err);
  run_release(&r);
}

Test(cli_run, an_ordinary_program_is_not_warned_of)
{
  struct run r = run_plain(&w, "idemshim", "run", "true", NULL);

  expect_success(&r);
  cr_expect_eq(r.err_len, 0, "%s", r.err);
  run_release(&r);
}

/* And it works. */

Test(cli_run, a_second_run_makes_no_call)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  const char *argv[] = {
      "idemshim", "run",  "--store", w.store, "--hosts",           world_text(&w, "127.0.0.1:%d", w.port),
      "--",       "curl", "-sS",     "-d",    "{\"model\":\"m\"}", url,
      NULL};
  struct run first = run_argv(&w, false, argv), again = run_argv(&w, false, argv);

  expect_success(&first);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).served, 1);
  run_release(&first);
  run_release(&again);
}
