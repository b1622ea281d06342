/* SPDX-License-Identifier: MIT */
/* What transport lends to libcurl for a replay is the app's again for the next live call, option by option.
 */
#include "tests/harness/harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world w;

static void open_world(void)
{
  world_open(&w, 0);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 method=GET,HEAD,POST,PUT,PATCH");
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
}

static void close_world(void)
{
  world_close(&w);
}

TestSuite(lent, .init = open_world, .fini = close_world, .timeout = 180);

/* Answers that are not stored: they have no body that ends as JSON does. */
static bool is_never_replayed(const char *name)
{
  return strcmp(name, "head") == 0 || strcmp(name, "digest") == 0;
}

static void expect_no_trace(const char *name)
{
  const char second[] = "second: rc=0 requests=0\n";
  struct run plain = run_plain(&w, "option_overrides", name, NULL);
  struct run shim = run_shim(&w, "option_overrides", name, NULL);
  expect_success(&plain);
  expect_success(&shim);
  cr_expect_str_eq(plain.out, shim.out, "%s:\n%sand not\n%s", name, shim.out, plain.out);
  char *replayed = strstr(shim.err, second), *sent = strstr(plain.err, "second: ");
  cr_assert(sent);
  cr_expect(replayed || is_never_replayed(name), "%s: %s", name, shim.err);
  cr_expect_str_eq(strchr(sent, '\n'), strchr(replayed ? replayed : strstr(shim.err, "second: "), '\n'),
                   "%s: %s", name, shim.err);
  run_release(&plain);
  run_release(&shim);
}

Test(lent, every_option_is_the_app_s_again)
{
  struct run names = run_plain(&w, "option_overrides", NULL);
  int count = 0;
  for (char *name = strtok(names.out, "\n"); name; name = strtok(NULL, "\n"), count++)
    expect_no_trace(name);
  cr_expect_gt(count, 30);
  run_release(&names);
}
