/* SPDX-License-Identifier: MIT */
/* guard=on: a program is killed while it waits, and its call is finished. IDEM_MOMENTS says how often (6). */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static unsigned seed;

static void set_up(void)
{
  open_tls_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 guard=on");
  seed = (unsigned)time(NULL) ^ (unsigned)getpid();
}

TestSuite(rescue_guard, .init = set_up, .fini = close_world, .timeout = 600);

static int moments(void)
{
  const char *text = getenv("IDEM_MOMENTS");
  return text ? atoi(text) : 6;
}

static const char python[] = "import pycurl, sys\n"
                             "handle = pycurl.Curl()\n"
                             "handle.setopt(pycurl.URL, sys.argv[1])\n"
                             "handle.setopt(pycurl.POSTFIELDS, sys.argv[2])\n"
                             "handle.setopt(pycurl.CAINFO, sys.argv[3])\n"
                             "handle.perform()\n";

static struct run start(const char *program, const char *url, const char *body)
{
  if (strcmp(program, "curl") == 0)
    return start_shim(&w, "curl", "-sS", "-d", body, url, NULL);
  if (strcmp(program, "pycurl") == 0)
    return start_shim(&w, "/usr/bin/python3", "-c", python, url, body, w.ca, NULL);
  return start_shim(&w, program, "--body", body, url, NULL);
}

/* Once there is a guard. */
static void kill_while_it_waits(struct run *run)
{
  wait_until(world_orphans(&w) > 0);
  nanosleep(&(struct timespec){.tv_nsec = rand_r(&seed) % 150 * 1000000L}, NULL);
  run_signal(run, SIGKILL);
  run_wait(run);
  cr_expect_eq(run->signal, SIGKILL);
  cr_expect_eq(run->out_len, 0);
}

/* Over TLS a guard is made anew when the server's session tickets have been read. A program that is killed
 * within those few milliseconds leaves its call in doubt, and it is sent again. */
static int expected_doubts(const char *url)
{
  return strncmp(url, "https:", 6) == 0 ? 1 + moments() / 10 : 0;
}

static void survives_its_program(const char *program, const char *url)
{
  char body[64], gate[24], base[192], target[256];
  snprintf(base, sizeof(base), "%s", url);
  for (int i = 0; i < moments(); i++) {
    snprintf(body, sizeof(body), "{\"n\":%d}", i);
    snprintf(gate, sizeof(gate), "g%d.", i);
    snprintf(target, sizeof(target), "%s?mock=gate%%3D%s,gate_first%%3D1", base, gate);
    struct run killed = start(program, target, body);
    kill_while_it_waits(&killed);
    struct run next = start("curl", target, body);
    mock_open(&w, gate);
    run_wait(&next);
    expect_success(&next);
    cr_expect(strstr(next.out, "chatcmpl"), "%s", next.out);
    cr_expect_eq(mock_count(&w).requests, i + 1 + log_events(&w, "in_doubt"));
    wait_until(world_orphans(&w) == 0);
    run_release(&killed);
    run_release(&next);
  }
  int doubts = log_events(&w, "in_doubt");
  cr_log_info("%s: %d moments, %d in doubt", program, moments(), doubts);
  cr_expect_eq(log_events(&w, "rescued"), moments() - doubts);
  cr_expect_leq(doubts, expected_doubts(base));
}

static const char target[] = "/v1/chat/completions";

Test(rescue_guard, curl_is_killed)
{
  survives_its_program("curl", world_url(&w, target));
}

Test(rescue_guard, curl_is_killed_over_tls)
{
  survives_its_program("curl", world_tls_url(&w, target));
}

Test(rescue_guard, pycurl_is_killed)
{
  struct run asked = run_shell_plain(&w, "dpkg -s python3-pycurl");
  if (asked.status != 0)
    cr_skip_test("not installed: python3-pycurl");
  run_release(&asked);
  survives_its_program("pycurl", world_tls_url(&w, target));
}

Test(rescue_guard, a_c_program_is_killed)
{
  survives_its_program("fetch-openssl", world_url(&w, target));
}

Test(rescue_guard, a_program_with_gnutls_is_killed)
{
  if (!world_has(&w, "fetch-gnutls"))
    cr_skip_test("not built: fetch-gnutls");
  survives_its_program("fetch-gnutls", world_tls_url(&w, target));
}

/* An answer that comes at once is there before its call would be guarded. */
static const char later[] = "/v1/chat/completions?mock=latency_ms%3D400";

Test(rescue_guard, a_program_that_is_not_killed_leaves_nobody_behind)
{
  struct run run = run_shim(&w, "curl", "-sS", "-d", "{}", world_url(&w, later), NULL);
  expect_success(&run);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(log_events(&w, "stored"), 1);
  cr_expect_eq(log_events(&w, "rescued"), 0);
  run_release(&run);
}

Test(rescue_guard, an_answer_that_has_begun_is_never_torn)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=events%3D20,stall_ms%3D400");
  const char *body = "{\"stream\":true,\"messages\":[]}";
  struct run killed = start_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
  wait_until((run_look(&killed), killed.out_len > 0));
  run_signal(&killed, SIGKILL);
  run_wait(&killed);
  struct run next = run_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
  expect_success(&next);
  cr_expect(strstr(next.out, "[DONE]"));
  cr_expect_eq(log_events(&w, "in_doubt"), 1);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&killed);
  run_release(&next);
}

Test(rescue_guard, a_program_that_is_too_large_is_told)
{
  world_env(&w, "IDEMSHIM_GUARD_SIZE", "1M");
  struct run run = run_shim(&w, "curl", "-sS", "-d", "{}", world_url(&w, later), NULL);
  expect_success(&run);
  cr_expect(log_contains(&w, "not guarded: the program is larger than IDEMSHIM_GUARD_SIZE"));
  cr_expect_eq(log_events(&w, "stored"), 1);
  run_release(&run);
}
