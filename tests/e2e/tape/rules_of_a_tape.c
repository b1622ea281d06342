/* SPDX-License-Identifier: MIT */
/* A tape carries the rules that it was recorded with, and what goes to a server that is
 * on it never goes out. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_unset(&w, "IDEMSHIM_HOSTS");
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

TestSuite(tape_rules, .init = set_up, .fini = close_world);

static const char *tape(void)
{
  return world_path(&w, "tape");
}

static const char *host(void)
{
  return world_text(&w, "127.0.0.1:%d", w.port);
}

static const char *call(const char *body, const char *target)
{
  return world_text(&w, "curl -sS " CURL_JSON_WORDS " '%s' '%s'", body, world_url(&w, target));
}

static struct run record(const char *rules, const char *script)
{
  struct run r =
      run_plain(&w, "idemshim", "record", "-o", tape(), "--rules", rules, "--", "sh", "-c", script, NULL);
  expect_success(&r);
  return r;
}

Test(tape_rules, a_replay_needs_no_rules)
{
  const char *script = call("{\"a\":1,\"at\":\"x\"}", "/v1/chat/completions");
  struct run live = record(world_text(&w, "host=%s ignore=/at", host()), script);
  mock_stop(&w);
  struct run again = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", script, NULL);
  struct run other = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c",
                               call("{\"a\":1,\"at\":\"y\"}", "/v1/chat/completions"), NULL);

  expect_same_output(&live, &again);
  expect_same_output(&live, &other);
  run_release(&live);
  run_release(&again);
  run_release(&other);
}

Test(tape_rules, without_the_command_a_replay_has_them_too)
{
  const char *script = call("{}", "/v1/chat/completions");
  struct run live = record(world_text(&w, "host=%s", host()), script);
  long before = mock_count(&w).requests;
  world_env(&w, "IDEMSHIM_MODE", "replay");
  world_env(&w, "IDEMSHIM_TAPE", "%s", tape());
  struct run again = run_shell(&w, script);

  expect_same_output(&live, &again);
  cr_expect_eq(mock_count(&w).requests, before);
  run_release(&live);
  run_release(&again);
}

Test(tape_rules, what_goes_to_a_server_of_the_tape_is_refused_whatever_the_rules)
{
  struct run live = record(world_text(&w, "host=%s", host()), call("{}", "/v1/chat/completions"));
  long before = mock_count(&w).requests;
  struct run get = run_plain(&w, "idemshim", "replay", tape(), "curl", "-sS", world_url(&w, "/health"), NULL);
  struct run given = run_plain(&w, "idemshim", "replay", "--hosts", "other.example", tape(), "curl", "-sS",
                               world_url(&w, "/health"), NULL);

  cr_expect_eq(get.status, 7);
  cr_expect_eq(given.status, 7);
  cr_expect(strstr(get.err, "nothing recorded for this request"), "%s", get.err);
  cr_expect(
      strstr(given.err,
             world_text(&w, "the first that differs: host=other.example (the tape has host=%s)", host())),
      "%s", given.err);
  cr_expect_eq(mock_count(&w).requests, before);
  run_release(&live);
  run_release(&get);
  run_release(&given);
}

/* The first eight servers and their short names are kept for doctor; the line comes for each. */
Test(tape_rules, no_server_is_too_many_or_too_long_for_the_line)
{
  enum { SERVERS = 10, LONG = 63 };
  struct run live = record(world_text(&w, "host=%s", host()), call("{}", "/v1/chat/completions"));
  char label[LONG + 1];
  memset(label, 'a', LONG);
  label[LONG] = '\0';
  mock_start_anew(&w);
  struct run far =
      run_plain(&w, "idemshim", "replay", tape(), "curl", "-sS", "-d", "{}", "--connect-to",
                world_text(&w, "::127.0.0.1:%d", w.port), world_text(&w, "http://%s.example/x", label), NULL);
  expect_success(&far);
  const char *script =
      "set --; i=0; while [ $i -le 9 ]; do set -- \"$@\" http://t$i.example/x; i=$((i + 1)); done; "
      "exec curl -sS -d {} --connect-to ::127.0.0.1:$PORT \"$@\"";
  world_env(&w, "PORT", "%d", w.port);
  struct run many = run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", script, NULL);
  expect_success(&many);
  cr_expect(log_contains(&w, world_text(&w, "POST http://%s.example:80/x goes out", label)));
  for (int i = 0; i < SERVERS; i++)
    cr_expect(log_contains(&w, world_text(&w, "POST http://t%d.example:80/x goes out", i)), "%d", i);
  run_release(&live);
  run_release(&far);
  run_release(&many);
}

Test(tape_rules, what_goes_elsewhere_goes_with_a_line_or_not_at_all)
{
  struct run live = record(world_text(&w, "host=%s", host()), call("{}", "/v1/chat/completions"));
  mock_start_anew(&w);
  const char *elsewhere = world_url(&w, "/v1/chat/completions");
  struct run out = run_plain(&w, "idemshim", "replay", tape(), "curl", "-sS", "-d", "{}", elsewhere, NULL);
  struct run offline =
      run_plain(&w, "idemshim", "replay", "--offline", tape(), "curl", "-sS", "-d", "{}", elsewhere, NULL);

  expect_success(&out);
  cr_expect(
      strstr(out.err, "no call of curl met a rule: 1 went out as if idemshim were not there, to 127.0.0.1:"),
      "%s", out.err);
  cr_expect(log_contains(&w, "neither its server nor a rule for it is on the tape; --offline refuses it"));
  cr_expect_eq(offline.status, 7);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&live);
  run_release(&out);
  run_release(&offline);
}

Test(tape_rules, processes_that_count_for_themselves_are_told_of_the_command)
{
  const char *one = call("{}", "/v1/chat/completions");
  struct run live = record(world_text(&w, "host=%s", host()), world_text(&w, "%s; %s", one, one));
  world_env(&w, "IDEMSHIM_MODE", "replay");
  world_env(&w, "IDEMSHIM_TAPE", "%s", tape());
  struct run apart = run_shell(&w, one);
  cr_expect(log_contains(&w, world_text(&w, "one count for all: idemshim replay %s -- COMMAND", tape())));
  run_release(&apart);
  run_release(&live);
}

Test(tape_rules, an_encrypted_tape_shows_none)
{
  const char *key = world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32);
  const char *script = call("{}", "/v1/chat/completions");
  struct run live = run_plain(&w, "idemshim", "record", "-o", tape(), "--key-file", key, "--hosts", host(),
                              "sh", "-c", script, NULL);
  mock_stop(&w);
  struct run again = run_plain(&w, "idemshim", "replay", "--key-file", key, tape(), "sh", "-c", script, NULL);

  expect_same_output(&live, &again);
  cr_expect_not(file_contains(tape(), "host="));
  run_release(&live);
  run_release(&again);
}

Test(tape_rules, a_second_recording_adds_its_own)
{
  struct run first =
      record(world_text(&w, "host=%s path=/v1/chat/*", host()), call("{}", "/v1/chat/completions"));
  struct run second = record(world_text(&w, "host=%s path=/v1/e*", host()), call("{}", "/v1/embeddings"));
  struct run third = record(world_text(&w, "host=%s path=/v1/e*", host()), call("{}", "/v1/embeddings"));
  mock_stop(&w);
  struct run again =
      run_plain(&w, "idemshim", "replay", tape(), "sh", "-c", call("{}", "/v1/embeddings"), NULL);
  struct run verified = run_plain(&w, "idemshim", "tape", "verify", tape(), NULL);

  expect_same_output(&second, &again);
  expect_success(&verified);
  cr_expect(strstr(verified.out, "3 exchanges"), "%s", verified.out);
  run_release(&first);
  run_release(&second);
  run_release(&third);
  run_release(&again);
  run_release(&verified);
}

/* What a replay of it would do is asked before there is one. */
Test(tape_rules, check_shows_them_and_the_servers_in_mode_replay)
{
  struct run live =
      record(world_text(&w, "host=%s path=/v1/chat/*", host()), call("{}", "/v1/chat/completions"));
  world_env(&w, "IDEMSHIM_MODE", "replay");
  world_env(&w, "IDEMSHIM_TAPE", "%s", tape());
  struct run all = run_plain(&w, "idemshim", "check", NULL);
  struct run other = run_plain(&w, "idemshim", "check", "GET", world_url(&w, "/health"), NULL);
  world_env(&w, "IDEMSHIM_TAPE", "%s", w.dir);
  struct run none = run_plain(&w, "idemshim", "check", NULL);

  expect_success(&all);
  cr_expect(strstr(all.out, world_text(&w, "host=%s path=/v1/chat/*\n", host())), "%s", all.out);
  cr_expect(strstr(all.out, world_text(&w, "host=%s method=*\n", host())), "%s", all.out);
  cr_expect(strstr(all.out, "(not used in this mode)"), "%s", all.out);
  expect_success(&other);
  cr_expect(strstr(other.out, "answered from the tape, never sent (mode replay)"), "%s", other.out);
  cr_expect_eq(none.status, 2);
  cr_expect(strstr(none.err, "a replay refuses every call"), "%s", none.err);
  run_release(&live);
  run_release(&all);
  run_release(&other);
  run_release(&none);
}
