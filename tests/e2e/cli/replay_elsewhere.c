/* SPDX-License-Identifier: MIT */
/* idemshim replay: against another server, beyond the tape, and what it says of itself at its end. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static void set_up(void)
{
  open_world();
  world_unset(&w, "IDEMSHIM_HOSTS");
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

TestSuite(cli_replay_elsewhere, .init = set_up, .fini = close_world);

static const char *tape(void)
{
  return world_path(&w, "tape");
}

static const char *call(int n, const char *host)
{
  return world_text(&w, "curl -sS -d '{\"n\":%d}' 'http://%s:%d/v1/chat/completions'", n, host, w.port);
}

static struct run record_three(void)
{
  const char *host = world_text(&w, "127.0.0.1:%d", w.port), *here = "127.0.0.1";
  struct run r =
      run_plain(&w, "idemshim", "record", "-o", tape(), "--hosts", host, "sh", "-c",
                world_text(&w, "%s && %s && %s", call(1, here), call(2, here), call(3, here)), NULL);
  expect_success(&r);
  return r;
}

static void expect_end(struct run *r, int status, const char *line)
{
  cr_expect_eq(r->status, status, "exit %d: %s", r->status, r->err);
  cr_expect(strstr(r->err, line), "expected \"%s\" in: %s", line, r->err);
  run_release(r);
}

Test(cli_replay_elsewhere, a_mapped_server_gets_what_was_recorded_to_another)
{
  struct run live = record_three();
  const char *there = "localhost";
  const char *map = world_text(&w, "http://127.0.0.1:%d=http://LocalHost:%d/", w.port, w.port);
  mock_stop(&w);
  struct run again =
      run_plain(&w, "idemshim", "replay", "--map-origin", map, tape(), "sh", "-c",
                world_text(&w, "%s && %s && %s", call(1, there), call(2, there), call(3, there)), NULL);

  cr_expect_str_eq(again.out, live.out);
  expect_end(&again, 0, "idemshim: replay: 3 of 3 exchanges were used\n");
  run_release(&live);
}

Test(cli_replay_elsewhere, a_map_that_is_none_starts_nothing)
{
  static const char *const maps[] = {"https://a.example", "a.example=b.example",
                                     "https://a.example=https://b:x"};
  struct run live = record_three();
  for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
    struct run r =
        run_plain(&w, "idemshim", "replay", "--map-origin", maps[i], tape(), "echo", "started", NULL);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    expect_end(&r, 2, "--map-origin");
    struct run diff =
        run_plain(&w, "idemshim", "tape", "diff", "--map-origin", maps[i], tape(), tape(), NULL);
    expect_end(&diff, 2, "--map-origin");
  }
  run_release(&live);
}

Test(cli_replay_elsewhere, an_exchange_to_go_live_from_is_one_of_the_tape)
{
  static const char *const numbers[] = {"0", "4"};
  struct run live = record_three();
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    struct run r =
        run_plain(&w, "idemshim", "replay", "--live-from", numbers[i], tape(), "echo", "started", NULL);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    expect_end(&r, 2, world_text(&w, "--live-from %s: the tape has exchanges 1 to 3", numbers[i]));
  }
  run_release(&live);
}

/* What was recorded of a bad day stays as it was. */
Test(cli_replay_elsewhere, a_replay_does_not_go_on_the_tape_that_it_reads_nor_nowhere)
{
  struct run live = record_three();
  const char *file = world_write(&w, "file", "", 0), *link = world_path(&w, "link");
  cr_assert_eq(symlink(tape(), link), 0);
  const char *const outputs[] = {tape(), link, file};
  for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
    struct run r =
        run_plain(&w, "idemshim", "replay", "-o", outputs[i], tape(), "sh", "-c", call(1, "127.0.0.1"), NULL);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    expect_end(&r, 2, i == 2 ? "is not a directory; nothing was started" : "is the tape that is replayed");
  }
  struct run fault =
      run_plain(&w, "idemshim", "replay", "--fault", "429", "-o", tape(), tape(), "true", NULL);
  expect_end(&fault, 2, "is the tape that is replayed");
  struct run list = run_plain(&w, "idemshim", "tape", "verify", tape(), NULL);
  cr_expect(strstr(list.out, "3 exchanges "), "%s", list.out);
  run_release(&list);
  run_release(&live);
}

Test(cli_replay_elsewhere, a_miss_fails_or_goes_out_or_goes_on_the_tape)
{
  struct run live = record_three();
  long before = mock_count(&w).requests;
  const char *other = call(9, "127.0.0.1");
  struct run fails = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", other, NULL);
  cr_expect_eq(mock_count(&w).requests, before);
  expect_end(&fails, 7, "0 of 3 exchanges were used; the first that was not is 1, POST http://127.0.0.1:");

  struct run out = run_plain(&w, "idemshim", "replay", "--on-miss=live", tape(), "sh", "-c", other, NULL);
  cr_expect_eq(mock_count(&w).requests, before + 1);
  expect_end(&out, 0, "1 call was not on the tape, and went out");

  struct run recorded =
      run_plain(&w, "idemshim", "replay", "--on-miss=record", tape(), "sh", "-c", other, NULL);
  mock_stop(&w);
  struct run again = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", other, NULL);
  cr_expect_str_eq(again.out, recorded.out);
  expect_end(&again, 0, "1 of 4 exchanges were used");
  run_release(&recorded);
  run_release(&live);
}

Test(cli_replay_elsewhere, from_an_exchange_on_it_is_live_and_compared)
{
  struct run live = record_three();
  long before = mock_count(&w).requests;
  const char *here = "127.0.0.1", *fresh = world_path(&w, "fresh");
  struct run r =
      run_plain(&w, "idemshim", "replay", "--live-from", "2", "-o", fresh, tape(), "sh", "-c",
                world_text(&w, "%s && %s && %s", call(1, here), call(2, here), call(4, here)), NULL);
  struct run diff = run_plain(&w, "idemshim", "tape", "diff", tape(), fresh, NULL);

  cr_expect_eq(mock_count(&w).requests, before + 2);
  expect_end(&r, 0, "1 of 3 exchanges were used; the first that was not is 2, POST http://127.0.0.1:");
  cr_expect(strstr(diff.out, "     2      2  answer: "), "%s", diff.out);
  cr_expect(strstr(diff.out, "     3      3  request: JSON /n (3 / 4)"), "%s", diff.out);
  cr_expect(strstr(diff.out, "1 the same, 2 differ, 0 only in the first, 0 only in the second"), "%s",
            diff.out);
  run_release(&diff);
  run_release(&live);
}

Test(cli_replay_elsewhere, two_tapes_of_two_servers_are_compared_as_one)
{
  struct run live = record_three();
  const char *there = "localhost", *other = world_path(&w, "other");
  struct run second = run_plain(&w, "idemshim", "record", "-o", other, "--hosts",
                                world_text(&w, "localhost:%d", w.port), "sh", "-c", call(1, there), NULL);
  struct run apart = run_plain(&w, "idemshim", "tape", "diff", tape(), other, NULL);
  struct run as_one = run_plain(&w, "idemshim", "tape", "diff", "--map-origin",
                                world_text(&w, "http://127.0.0.1:%d=http://localhost:%d", w.port, w.port),
                                tape(), other, NULL);

  cr_expect(strstr(apart.out, "3 only in the first, 1 only in the second"), "%s", apart.out);
  cr_expect(strstr(as_one.out, "1 differs, 2 only in the first, 0 only in the second"), "%s", as_one.out);
  run_release(&second);
  run_release(&apart);
  run_release(&as_one);
  run_release(&live);
}

Test(cli_replay_elsewhere, strict_is_the_account_as_an_exit_code)
{
  struct run live = record_three();
  const char *here = "127.0.0.1";
  const char *all = world_text(&w, "%s && %s && %s", call(1, here), call(2, here), call(3, here));
  struct run whole = run_plain(&w, "idemshim", "replay", "--strict", tape(), "sh", "-c", all, NULL);
  expect_end(&whole, 0, "3 of 3 exchanges were used");
  struct run part = run_plain(&w, "idemshim", "replay", "--strict", tape(), "sh", "-c", call(1, here), NULL);
  expect_end(&part, 1, "1 of 3 exchanges were used; the first that was not is 2, ");
  struct run own = run_plain(&w, "idemshim", "replay", "--strict", tape(), "sh", "-c", "exit 5", NULL);
  expect_end(&own, 5, "0 of 3 exchanges were used");
  run_release(&live);
}

Test(cli_replay_elsewhere, an_old_tape_is_refused_where_that_is_asked_for)
{
  struct run live = record_three();
  struct run young = run_plain(&w, "idemshim", "replay", "--max-age", "1d", tape(), "true", NULL);
  struct run old = run_plain(&w, "idemshim", "replay", "--max-age", "0", tape(), "echo", "started", NULL);
  struct run no = run_plain(&w, "idemshim", "replay", "--max-age", "old", tape(), "echo", "started", NULL);

  cr_expect_eq(old.out_len + no.out_len, 0);
  expect_end(&young, 0, "0 of 3");
  expect_end(&old, 2, "nothing was started: record it again");
  expect_end(&no, 2, "expected a duration");
  run_release(&live);
}

Test(cli_replay_elsewhere, signals_go_to_the_program)
{
  struct run live = record_three();
  struct run r = start_plain(&w, "idemshim", "replay", tape(), "sh", "-c",
                             "trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.05; done", NULL);
  wait_until((run_look(&r), strstr(r.out, "ready")));
  run_signal(&r, 15);
  run_wait(&r);
  cr_expect(strstr(r.out, "told"), "%s", r.out);
  expect_end(&r, 3, "0 of 3 exchanges were used");
  run_release(&live);
}

/* A service may have it ignored, and then nobody hears of a child's end. */
Test(cli_replay_elsewhere, it_ends_as_its_program_where_ends_of_children_are_ignored)
{
  struct run live = record_three();
  struct run r =
      run_shell_plain(&w, world_text(&w, "trap '' CHLD; exec idemshim replay '%s' sh -c 'exit 5'", tape()));
  expect_end(&r, 5, "0 of 3 exchanges were used");
  run_release(&live);
}
