/* SPDX-License-Identifier: MIT */
/* With no rule that matches, a client asks of the kernel what it asks without us, but for the loader's part.
 */
#include "tests/e2e/real.h"
#include "tests/e2e/trace.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct world w;

static void open_world(void)
{
  world_open(&w, 0);
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("sanitizers make system calls of their own");
}

static void close_world(void)
{
  world_close(&w);
}

TestSuite(real_traces, .init = open_world, .fini = close_world);

static const char target[] = "/v1/chat/completions";

/* Else curl waits to see whether its first connection serves for the other URLs, too. */
static const char one_connection_each[] = "parallel-immediate\n";

static char *difference_of(const char *const *argv)
{
  struct trace plain = trace_run(&w, false, argv), shim = trace_run(&w, true, argv);
  char *difference = trace_difference(&plain, &shim);

  cr_expect_eq(plain.preloads, 0);
  cr_expect_gt(shim.preloads, 0);
  trace_release(&plain);
  trace_release(&shim);
  return difference;
}

/* What differs between two runs without us, too, is not there each time; what we do is. */
static void expect_no_difference(const char *const *argv)
{
  char *difference = difference_of(argv);

  for (int again = 0; difference && again < 2; again++) {
    free(difference);
    difference = difference_of(argv);
  }
  cr_expect_null(difference, "%s", difference);
  free(difference);
}

static void expect_untouched(const struct client *client)
{
  if (!client_installed(&w, client))
    cr_skip_test("not installed: %s", client->packages);
  const char *argv[CLIENT_ARGUMENTS];
  char url[128];
  snprintf(url, sizeof url, "%s", world_url(&w, target));
  client_argv(client, url, argv);
  world_env(&w, "IDEMSHIM_HOSTS", "nothing.invalid");
  world_write(&w, ".curlrc", one_connection_each, sizeof one_connection_each - 1);
  expect_no_difference(argv);
}

#define X(name, ...)                                                                                         \
  Test(real_traces, name)                                                                                    \
  {                                                                                                          \
    expect_untouched(&clients[CLIENT_##name]);                                                               \
  }
CLIENTS(X)
#undef X

Test(real_traces, a_rule_that_matches_makes_a_difference)
{
  const char *argv[] = {"curl", "-sS", "-d", "{}", world_url(&w, target), NULL};
  char *difference = difference_of(argv);

  cr_expect_not_null(difference);
  free(difference);
}
