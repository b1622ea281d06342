/* SPDX-License-Identifier: MIT */
/* Calls that no rule wants go out as they are, and whoever has set us before their program hears of it. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_up(void)
{
  open_world();
  world_unset(&w, "IDEMSHIM_HOSTS");
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

TestSuite(unmatched, .init = set_up, .fini = close_world);

static const char *url(void)
{
  return world_url(&w, "/v1/chat/completions");
}

Test(unmatched, a_run_that_met_no_rule_names_the_server_and_the_way_out)
{
  struct run r = run_plain(&w, "idemshim", "run", "curl", "-sS", "-d", "{}", url(), NULL);

  expect_success(&r);
  cr_expect(
      strstr(
          r.err,
          world_text(
              &w,
              "idemshim: no call of curl met a rule: 1 went out as if idemshim were not there, to "
              "127.0.0.1:%d; to have them treated: --hosts 127.0.0.1:%d; other processes of this run do not "
              "say it again\n",
              w.port, w.port)),
      "%s", r.err);
  cr_expect_eq(log_events(&w, "unmatched"), 1);
  cr_expect(log_contains(&w, world_text(&w, "\"origin\":\"http://127.0.0.1:%d\"", w.port)));
  run_release(&r);

  r = run_plain(&w, "idemshim", "run", "--hosts", world_text(&w, "127.0.0.1:%d", w.port), "curl", "-sS", "-d",
                "{}", url(), NULL);
  expect_success(&r);
  cr_expect_eq(r.err_len, 0, "%s", r.err);
  run_release(&r);
}

Test(unmatched, a_recording_and_a_get_are_told_of_too)
{
  struct run post = run_plain(&w, "idemshim", "record", "-o", world_path(&w, "tape"), "curl", "-sS", "-d",
                              "{}", url(), NULL);
  struct run get = run_plain(&w, "idemshim", "run", "curl", "-sS", url(), NULL);
  struct run known = run_plain(&w, "idemshim", "run", "--hosts", world_text(&w, "127.0.0.1:%d", w.port),
                               "curl", "-sS", url(), NULL);

  cr_expect(strstr(post.err, "to have them treated: --hosts 127.0.0.1:"), "%s", post.err);
  cr_expect(strstr(get.err, "--rules 'host=127.0.0.1 method=GET'"), "%s", get.err);
  cr_expect(strstr(known.err, "idemshim check GET https://127.0.0.1/PATH"), "%s", known.err);
  run_release(&post);
  run_release(&get);
  run_release(&known);
}

/* Each once, with its port where that is not a usual one. */
Test(unmatched, several_servers_are_named_in_their_order)
{
  const char *to = world_text(&w, "::127.0.0.1:%d", w.port);
  struct run r =
      run_plain(&w, "idemshim", "run", "curl", "-sS", "-d", "{}", url(), "--next", "-sS", "-d", "{}",
                "--connect-to", to, "http://one.example/v1/chat/completions", "--next", "-sS", "-d", "{}",
                "--connect-to", to, "http://two.example:8080/v1/chat/completions", "--next", "-sS", "-d",
                "{}", "--connect-to", to, "http://one.example/v1/embeddings", NULL);
  const char *hosts = world_text(&w, "127.0.0.1:%d,one.example,two.example:8080", w.port);

  expect_success(&r);
  cr_expect(
      strstr(r.err, world_text(&w,
                               "no call of curl met a rule: 4 went out as if idemshim were not there, to "
                               "%s; to have them treated: --hosts %s; other processes",
                               hosts, hosts)),
      "%s", r.err);
  cr_expect_eq(log_events(&w, "unmatched"), 3);
  cr_expect_eq(mock_count(&w).requests, 4);
  run_release(&r);
}

Test(unmatched, a_process_that_met_a_rule_says_nothing_and_counts)
{
  struct run r = run_plain(&w, "idemshim", "run", "--hosts", world_text(&w, "127.0.0.1:%d", w.port), "curl",
                           "-sS", url(), "--next", "-sS", "-d", "{}", url(), "--next", "-sS", url(), NULL);
  struct run stats = run_plain(&w, "idemshim", "stats", NULL);

  expect_success(&r);
  cr_expect_eq(r.err_len, 0, "%s", r.err);
  cr_expect(strstr(stats.out, "unmatched                2  calls of libcurl that met no rule"), "%s",
            stats.out);
  run_release(&r);
  run_release(&stats);
}

Test(unmatched, without_a_summary_nothing_is_said)
{
  struct run r = run_shim(&w, "curl", "-sS", "-d", "{}", url(), NULL);
  struct run off =
      run_shell_plain(&w, world_text(&w, "IDEMSHIM_SUMMARY=off idemshim run curl -sS -d '{}' '%s'", url()));

  expect_success(&r);
  expect_success(&off);
  cr_expect_eq(r.err_len + off.err_len, 0, "%s%s", r.err, off.err);
  run_release(&r);
  run_release(&off);
}

static int lines_of(const struct run *r)
{
  return count_of(r->err, "no call of curl met a rule");
}

/* Without a session, as in a container or under cron, it is noted where temporary files are. */
Test(unmatched, one_process_of_a_run_says_it_for_all)
{
  static const char *const places[] = {"XDG_RUNTIME_DIR", "TMPDIR"};
  const char *script = world_text(&w, "for n in 1 2 3; do curl -sS -d '{}' '%s'; done", url());
  world_unset(&w, "XDG_RUNTIME_DIR");
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    world_env(&w, places[i], "%s", w.dir);
    struct run first = run_plain(&w, "idemshim", "run", "sh", "-c", script, NULL);
    struct run second = run_plain(&w, "idemshim", "run", "sh", "-c", script, NULL);

    cr_expect_eq(lines_of(&first), 1, "%s: %s", places[i], first.err);
    cr_expect_eq(lines_of(&second), 1, "%s: %s", places[i], second.err);
    run_release(&first);
    run_release(&second);
    world_unset(&w, places[i]);
  }
}

/* What another has laid there is neither read nor written through, and a limit of the
 * program's ends nothing. */
Test(unmatched, each_says_it_where_it_cannot_be_noted)
{
  if (is_under_thread_sanitizer())
    cr_skip_test("the thread sanitizer writes to a file of its own");
  const char *script =
      world_text(&w, "for n in 1 2; do curl -sS -o /dev/null -d '{}' '%s' || exit 9; done", url());
  world_unset(&w, "XDG_RUNTIME_DIR");
  world_env(&w, "TMPDIR", "%s", w.dir);
  struct run limited = run_plain(&w, "idemshim", "run", "sh", "-c",
                                 world_text(&w, "(ulimit -f 0; %s) 2>&1 | cat >&2", script), NULL);
  expect_success(&limited);
  cr_expect_eq(lines_of(&limited), 2, "%s", limited.err);

  const char *marks = world_path(&w, world_text(&w, "idemshim-runs.%u", (unsigned)geteuid()));
  const char *other = world_write(&w, "other", "", 0);
  struct stat status;
  cr_assert_eq(unlink(marks), 0);
  cr_assert_eq(link(other, marks), 0);
  struct run linked = run_plain(&w, "idemshim", "run", "sh", "-c", script, NULL);
  cr_assert_eq(unlink(marks), 0);
  cr_assert_eq(symlink(other, marks), 0);
  struct run named = run_plain(&w, "idemshim", "run", "sh", "-c", script, NULL);
  cr_expect_eq(stat(other, &status), 0);
  cr_expect_eq(status.st_size, 0);
  run_release(&limited);
  run_release(&linked);
  run_release(&named);
}
