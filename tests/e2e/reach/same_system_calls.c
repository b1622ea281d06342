/* SPDX-License-Identifier: MIT */
/* With no rule that matches, a client asks of the kernel what it asks without us, but for the loader's part.
 */
#include "tests/e2e/reach/real.h"
#include "tests/e2e/reach/trace.h"

#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void set_up(void)
{
  open_world();
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("sanitizers make system calls of their own");
}

TestSuite(real_traces, .init = set_up, .fini = close_world);

static const char target[] = "/v1/chat/completions";

/* Else curl waits to see whether its first connection serves for the other URLs, too. */
static const char one_connection_each[] = "parallel-immediate\n";

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
  expect_same_trace(&w, argv);
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
  char *difference = trace_compare(&w, argv);

  cr_expect_not_null(difference);
  free(difference);
}
