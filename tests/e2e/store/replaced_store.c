/* SPDX-License-Identifier: MIT */
/*
 * A store that is removed, replaced or restored under the programs that use it. They go on in what is there
 * now, and a claim, an answer and a secret are never of two stores.
 */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(replaced, .init = open_world, .fini = close_world, .timeout = 120);

/* What is done to it, by a shell that has its path in IDEMSHIM_STORE. A copy of it is in $HOME/copy, of
 * when it had one answer. */
struct change {
  char name[24];
  char script[200];
  bool had; /* the answer of the copy is in what is there now */
};

static struct change changes[] = {
    {"removed", "rm -rf \"$IDEMSHIM_STORE\"", false},
    {"moved away", "mv \"$IDEMSHIM_STORE\" \"$HOME/old\"", false},
    {"emptied", "rm -rf \"$IDEMSHIM_STORE\"/*", false},
    {"restored", "mv \"$IDEMSHIM_STORE\" \"$HOME/old\" && cp -a \"$HOME/copy\" \"$IDEMSHIM_STORE\"", true},
    {"restored in its place", "rm -rf \"$IDEMSHIM_STORE\"/* && cp -a \"$HOME/copy\"/* \"$IDEMSHIM_STORE\"",
     true},
    {"made anew by another",
     "rm -rf \"$IDEMSHIM_STORE\" && LD_PRELOAD=\"$SHIM\" curl -sS -o /dev/null -d '{\"x\":1}' \"$URL\"",
     false},
};

static const char held[] = "/v1/chat/completions?mock=gate%3Dg,gate_first%3D1";

static long requests(void)
{
  return mock_count(&w).requests;
}

static void post(const char *url, const char *body)
{
  struct run run = run_shim(&w, "curl", "-sS", "-d", body, url, NULL);
  expect_success(&run);
  run_release(&run);
}

static void make_copy(const char *url)
{
  world_env(&w, "URL", "%s", world_url(&w, "/v1/chat/completions"));
  world_env(&w, "SHIM", "%s/libidemshim.so", w.build);
  post(url, "{\"a\":0}");
  struct run run = run_shell_plain(&w, "cp -a \"$IDEMSHIM_STORE\" \"$HOME/copy\"");
  expect_success(&run);
  run_release(&run);
}

/* How many calls that has made itself. */
static long apply(const struct change *change)
{
  long before = requests();
  struct run run = run_shell_plain(&w, change->script);
  expect_success(&run);
  run_release(&run);
  return requests() - before;
}

static void expect_sound(void)
{
  struct run run = run_plain(&w, "idemshim", "verify", NULL);
  expect_success(&run);
  run_release(&run);
}

/* Both of the call that was under way and of those after it: the process that has seen the old store
 * goes on in the new one. */
ParameterizedTestParameters(replaced, a_process_goes_on_in_what_is_there_now)
{
  return cr_make_param_array(struct change, changes, sizeof(changes) / sizeof(*changes));
}
ParameterizedTest(struct change *change, replaced, a_process_goes_on_in_what_is_there_now)
{
  const char *url = world_url(&w, "/v1/chat/completions"), *gated = world_url(&w, held);
  make_copy(url);
  struct run run =
      start_shim(&w, "curl", "-sS", "-d", "{\"a\":1}", gated, "--next", "-sS", "-d", "{\"a\":2}", url,
                 "--next", "-sS", "-d", "{\"a\":2}", url, "--next", "-sS", "-d", "{\"a\":0}", url, NULL);
  wait_until(requests() == 2);
  long known = apply(change);
  mock_open(&w, "g");
  run_wait(&run);
  expect_success(&run);
  cr_expect_null(strstr(run.err, "calls go out"), "%s: %s", change->name, run.err);
  known += change->had ? 3 : 4;
  cr_expect_eq(requests(), known, "%s: %ld requests, not %ld: %s", change->name, requests(), known, run.err);
  post(gated, "{\"a\":1}");
  cr_expect_eq(requests(), known, "%s: the answer of the call that was under way is kept", change->name);
  post(url, "{\"a\":2}");
  post(url, "{\"a\":0}");
  cr_expect_eq(requests(), known, "%s: so are those that came after it", change->name);
  cr_expect_eq(log_events(&w, "store_error"), 0, "%s", change->name);
  expect_sound();
  run_release(&run);
}

/* Who waits has asked the old store, and waits there for the one call. */
ParameterizedTestParameters(replaced, followers_get_the_answer_that_they_wait_for)
{
  return cr_make_param_array(struct change, changes, sizeof(changes) / sizeof(*changes));
}
ParameterizedTest(struct change *change, replaced, followers_get_the_answer_that_they_wait_for)
{
  enum { PROCESSES = 2 };
  struct run followers[PROCESSES];
  const char *url = world_url(&w, "/v1/chat/completions"), *gated = world_url(&w, held), body[] = "{\"a\":1}";
  make_copy(url);
  struct run owner = start_shim(&w, "stampede", "4", gated, body, NULL);
  wait_until(requests() == 2);
  for (int i = 0; i < PROCESSES; i++) {
    followers[i] =
        start_shim(&w, "curl", "-sS", "-d", body, gated, "--next", "-sS", "-d", "{\"a\":2}", url, NULL);
    wait_until(run_sleeps_on_a_futex(followers[i].pid));
  }
  long known = apply(change);
  mock_open(&w, "g");
  run_wait(&owner);
  expect_success(&owner);
  for (int i = 0; i < PROCESSES; i++) {
    run_wait(&followers[i]);
    expect_success(&followers[i]);
    expect_same_output(&followers[0], &followers[i]);
  }
  cr_expect_eq(requests(), 3 + known, "%s: %ld requests, and %ld of the change", change->name, requests(),
               known);
  post(gated, body);
  cr_expect_eq(requests(), 3 + known, "%s: it is kept", change->name);
  expect_sound();
  for (int i = 0; i < PROCESSES; i++)
    run_release(&followers[i]);
  run_release(&owner);
}

/* Its answers are written by a thread of the store's. */
ParameterizedTestParameters(replaced, a_multi_keeps_what_it_has_paid_for)
{
  return cr_make_param_array(struct change, changes, sizeof(changes) / sizeof(*changes));
}
ParameterizedTest(struct change *change, replaced, a_multi_keeps_what_it_has_paid_for)
{
  const char *gated = world_url(&w, held);
  world_env(&w, "IDEMSHIM_SYNC", "on");
  make_copy(world_url(&w, "/v1/chat/completions"));
  struct run run = start_shim(&w, "multi_calls", "epoll", "1", gated, "{\"a\":1}", "{\"a\":2}", NULL);
  wait_until(requests() == 3);
  long known = 3 + apply(change);
  mock_open(&w, "g");
  run_wait(&run);
  expect_success(&run);
  struct run again = run_shim(&w, "multi_calls", "epoll", "1", gated, "{\"a\":1}", "{\"a\":2}", NULL);
  expect_success(&again);
  cr_expect_eq(requests(), known, "%s: %ld requests, not %ld: %s", change->name, requests(), known, run.err);
  expect_sound();
  run_release(&again);
  run_release(&run);
}

/* Each child opens the store for itself, when its parent had it open long before. */
Test(replaced, the_child_of_a_server_does_not_mix_two)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  static const char program[] =
      "import os, sys, pycurl, subprocess\n"
      "def call(body):\n"
      "  c = pycurl.Curl(); c.setopt(c.URL, sys.argv[1]); c.setopt(c.POSTFIELDS, body)\n"
      "  c.setopt(c.WRITEFUNCTION, lambda b: None); c.perform(); c.close()\n"
      "call('{\"a\":1}')\n"
      "subprocess.check_call('mv \"$IDEMSHIM_STORE\" \"$HOME/old\"', shell=True)\n"
      "for i in range(2):\n"
      "  pid = os.fork()\n"
      "  if not pid:\n"
      "    call('{\"a\":2}'); os._exit(0)\n"
      "  assert os.waitpid(pid, 0)[1] == 0\n"
      "call('{\"a\":2}')\n";
  struct run run = run_shim(&w, "/usr/bin/python3", "-c", program, url, NULL);
  expect_success(&run);
  cr_expect_eq(requests(), 2, "%s", run.err);
  cr_expect_null(strstr(run.err, "calls go out"), "%s", run.err);
  post(url, "{\"a\":2}");
  cr_expect_eq(requests(), 2);
  expect_sound();
  run_release(&run);
}
