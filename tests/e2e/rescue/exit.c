/* SPDX-License-Identifier: MIT */
/* Programs that exit while calls of theirs are under way. What the exiting thread itself has is carried to
 * its end; what other threads have is left to them, and to guard=on. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_tls_world();
  world_env(&w, "TSAN_OPTIONS", "atexit_sleep_ms=0"); /* it would wait for the threads */
}

TestSuite(rescue_exit, .init = set_up, .fini = close_world, .timeout = 120);

#define ONE "{\"stream\":true,\"messages\":[],\"n\":1}"
#define TWO "{\"stream\":true,\"messages\":[],\"n\":2}"

#define WAITS  "latency_ms%3D1500"
#define STALLS "events%3D20,stall_ms%3D1500"
#define FLOWS  "events%3D600,chunk_delay_ms%3D2"

static const char *url_of(const char *script)
{
  return world_url(&w, world_text(&w, "/v1/chat/completions?mock=%s", script));
}

static const char *tls_url_of(const char *script)
{
  return world_tls_url(&w, world_text(&w, "/v1/chat/completions?mock=%s", script));
}

static void guard(void)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 guard=on");
}

/* At a moment when all requests are with the upstream, and as much of an answer as the script gives at once;
 * with `guards`, also when all of them are guarded. */
static struct run leave(const char *how, const char *what, const char *url, int calls, int guards)
{
  struct run run = start_shim(&w, "exit_with_calls", how, what, url, ONE, calls > 1 ? TWO : NULL, NULL);
  wait_until(mock_count(&w).requests == calls);
  if (!strstr(url, "latency"))
    wait_until((run_look(&run), strstr(run.out, "first")));
  if (guards)
    wait_until(world_orphans(&w) == guards);
  run_signal(&run, SIGUSR1);
  run_wait(&run);
  expect_success(&run);
  return run;
}

static void expect_answer(const char *url, const char *body)
{
  struct run run = run_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "[DONE]"), "%s", run.out);
  run_release(&run);
}

/* The next run waits for the copy, and nothing is paid for twice. */
static void expect_carried_on(struct run *run, const char *url, int calls)
{
  expect_answer(url, ONE);
  if (calls > 1)
    expect_answer(url, TWO);
  wait_until(world_orphans(&w) == 0);
  cr_expect(!strstr(run->out, "rc="), "%s", run->out);
  cr_expect_eq(log_events(&w, "rescued"), calls);
  cr_expect_eq(log_events(&w, "in_doubt"), 0);
  cr_expect_eq(mock_count(&w).requests, calls);
  run_release(run);
}

/* Nobody carries it on, and nobody takes it for done: it is sent again, as one that is in doubt. */
static void expect_in_doubt(struct run *run, const char *url)
{
  cr_expect_eq(world_orphans(&w), 0);
  expect_answer(url, ONE);
  cr_expect_eq(log_events(&w, "in_doubt"), 1);
  cr_expect_eq(log_events(&w, "rescue"), 0);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(run);
}

struct way {
  char how[8], what[16];
  int calls;
};

ParameterizedTestParameters(rescue_exit, every_way_of_leaving)
{
  static struct way ways[] = {
      {"exit", "own", 2},      {"return", "own", 1},   {"quick", "own", 2},
      {"return", "action", 2}, {"quick", "action", 1}, {"exit", "handler", 1},
  };
  return cr_make_param_array(struct way, ways, sizeof(ways) / sizeof(*ways));
}

ParameterizedTest(struct way *way, rescue_exit, every_way_of_leaving)
{
  if (strcmp(way->what, "handler") == 0 && getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("exit() in the handler of a signal is what a sanitizer reports");
  const char *url = url_of(WAITS);
  struct run run = leave(way->how, way->what, url, way->calls, 0);
  cr_expect_eq(run.out_len, 0, "%s", run.out);
  wait_until(log_contains(&w, "the program has ended"));
  expect_carried_on(&run, url, way->calls);
}

struct scene {
  char how[8], what[8], script[40];
  bool tls;
  int calls;
};

ParameterizedTestParameters(rescue_exit, every_kind_of_transfer)
{
  static struct scene scenes[] = {
      {"exit", "own", WAITS, true, 2},        {"return", "own", STALLS, true, 1},
      {"return", "action", STALLS, false, 2}, {"exit", "own", FLOWS, false, 1},
      {"quick", "action", FLOWS, true, 1},
  };
  return cr_make_param_array(struct scene, scenes, sizeof(scenes) / sizeof(*scenes));
}

ParameterizedTest(struct scene *scene, rescue_exit, every_kind_of_transfer)
{
  const char *url = scene->tls ? tls_url_of(scene->script) : url_of(scene->script);
  struct run run = leave(scene->how, scene->what, url, scene->calls, 0);
  cr_log_info("%s, %s", scene->what, url);
  expect_carried_on(&run, url, scene->calls);
}

/* As it is without us, in its own handler; nothing has been taken from it. */
static void expect_turned(const char *how, const char *url)
{
  struct run run = leave(how, "turned", url, 2, 0);
  const char *first = strstr(run.out, "turned rc=0 status=200");
  cr_expect(first && strstr(first + 1, "turned rc=0 status=200"), "%s", run.out);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(log_events(&w, "stored"), 2);
  cr_expect_eq(log_events(&w, "rescued") + log_events(&w, "in_doubt"), 0);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&run);
}

Test(rescue_exit, a_handler_that_runs_later_turns_its_calls_to_their_ends)
{
  expect_turned("exit", url_of(WAITS));
}

Test(rescue_exit, and_those_whose_answers_have_begun)
{
  expect_turned("quick", url_of(STALLS));
}

/* The calls of other threads. */

ParameterizedTestParameters(rescue_exit, a_guard_finishes_the_call_of_another_thread)
{
  static struct way ways[] = {
      {"exit", "easy", 2},
      {"return", "easy", 1},
      {"quick", "easy", 1},
      {"exit", "loops", 2},
  };
  return cr_make_param_array(struct way, ways, sizeof(ways) / sizeof(*ways));
}

ParameterizedTest(struct way *way, rescue_exit, a_guard_finishes_the_call_of_another_thread)
{
  guard();
  const char *url = url_of(WAITS);
  struct run run = leave(way->how, way->what, url, way->calls, way->calls);
  expect_carried_on(&run, url, way->calls);
}

ParameterizedTestParameters(rescue_exit, without_a_guard_it_is_in_doubt)
{
  static struct way ways[] = {
      {"exit", "easy", 1},
      {"return", "loops", 1},
  };
  return cr_make_param_array(struct way, ways, sizeof(ways) / sizeof(*ways));
}

ParameterizedTest(struct way *way, rescue_exit, without_a_guard_it_is_in_doubt)
{
  const char *url = url_of(WAITS);
  struct run run = leave(way->how, way->what, url, 1, 0);
  expect_in_doubt(&run, url);
}

static const char python[] = "import pycurl, signal, sys, threading\n"
                             "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n"
                             "def call():\n"
                             "    handle = pycurl.Curl()\n"
                             "    handle.setopt(pycurl.URL, sys.argv[1])\n"
                             "    handle.setopt(pycurl.POSTFIELDS, sys.argv[2])\n"
                             "    handle.setopt(pycurl.WRITEFUNCTION, lambda data: None)\n"
                             "    handle.perform()\n"
                             "    print('rc=0')\n"
                             "threading.Thread(target=call, daemon=True).start()\n"
                             "signal.sigwait([signal.SIGUSR1])\n";

Test(rescue_exit, python_ends_with_a_daemon_thread)
{
  struct run asked = run_shell_plain(&w, "dpkg -s python3-pycurl");
  if (asked.status != 0)
    cr_skip_test("not installed: python3-pycurl");
  run_release(&asked);
  guard();
  const char *url = url_of(WAITS);
  struct run run = start_shim(&w, "/usr/bin/python3", "-c", python, url, ONE, NULL);
  wait_until(world_orphans(&w) == 1);
  run_signal(&run, SIGUSR1);
  run_wait(&run);
  expect_success(&run);
  expect_carried_on(&run, url, 1);
}

/* Transfers that the program ends itself. */

struct end {
  char how[8], what[16];
  bool flows;
};

ParameterizedTestParameters(rescue_exit, a_program_that_joins_its_threads_gets_its_answers)
{
  static struct end ends[] = {
      {"exit", "joined", false},
      {"return", "joined", true},
      {"quick", "joined", true},
      {"exit", "late", true},
  };
  return cr_make_param_array(struct end, ends, sizeof(ends) / sizeof(*ends));
}

/* How its two threads say it; they may end in any order. */
static const char *line_of(const struct run *run, const char *body)
{
  const char *line = strstr(run->out, body);
  return line ? world_text(&w, "%.*s", (int)strcspn(line, "\n"), line) : "";
}

ParameterizedTest(struct end *end, rescue_exit, a_program_that_joins_its_threads_gets_its_answers)
{
  const char *url = url_of(end->flows ? FLOWS : WAITS);
  struct run run = leave(end->how, end->what, url, 2, 0);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(mock_count(&w).served, 2);
  cr_expect_eq(log_events(&w, "stored"), 2);
  cr_expect_eq(log_events(&w, "rescue") + log_events(&w, "bypass"), 0);
  struct run next = start_shim(&w, "exit_with_calls", end->how, end->what, url, ONE, TWO, NULL);
  wait_until((run_look(&next), strstr(line_of(&next, ONE), "sum=") && strstr(line_of(&next, TWO), "sum=")));
  run_signal(&next, SIGUSR1);
  run_wait(&next);
  cr_expect(strstr(line_of(&run, ONE), "rc=0 status=200"), "%s", run.out);
  cr_expect_str_eq(line_of(&next, ONE), line_of(&run, ONE));
  cr_expect_str_eq(line_of(&next, TWO), line_of(&run, TWO));
  run_release(&run);
  run_release(&next);
}

/* What is in doubt. */

ParameterizedTestParameters(rescue_exit, what_libcurl_is_in_the_middle_of_is_in_doubt)
{
  static struct way ways[] = {
      {"exit", "callback", 1},
      {"exit", "jumped", 1},
      {"quick", "jumped", 1},
  };
  return cr_make_param_array(struct way, ways, sizeof(ways) / sizeof(*ways));
}

ParameterizedTest(struct way *way, rescue_exit, what_libcurl_is_in_the_middle_of_is_in_doubt)
{
  const char *url = url_of(STALLS);
  struct run run = leave(way->how, way->what, url, way->calls, 0);
  cr_expect_eq(log_events(&w, "bypass"), 1);
  cr_expect(log_contains(&w, "while libcurl was at work on it"));
  expect_in_doubt(&run, url);
}

Test(rescue_exit, the_number_of_copies_is_bounded)
{
  world_env(&w, "IDEMSHIM_RESCUES", "1");
  struct run run = leave("exit", "own", url_of(WAITS), 2, 0);
  wait_until(log_events(&w, "rescued") == 1);
  cr_expect(log_contains(&w, "IDEMSHIM_RESCUES are under way"));
  wait_until(world_orphans(&w) == 0);
  run_release(&run);
}
