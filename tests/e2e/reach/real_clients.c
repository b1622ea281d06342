/* SPDX-License-Identifier: MIT */
/* Each real client asks under the shim, and then again without a server: it gets the same, byte for byte. */
#include "tests/e2e/reach/real.h"

#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_tls_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 method=GET,POST");
}

TestSuite(real_clients, .init = set_up, .fini = close_world);

static const char target[] = "/v1/chat/completions";

static void expect_served(const struct client *client, const struct run *run)
{
  expect_success(run);
  cr_expect_eq(mock_count(&w).served, client->calls, "%s: %ld calls\n%s", client->name, mock_count(&w).served,
               run->out);
}

static void expect_events(const struct client *client, const char *event, int count)
{
  cr_expect_eq(log_events(&w, event), count, "%s: %d events '%s'", client->name, log_events(&w, event),
               event);
}

static void expect_same_but_for_marks(struct run *live, struct run *replay)
{
  cr_expect_eq(strip_marks(live->out), 0, "a live answer has no marks");
  strip_marks(replay->out);
  expect_same_bytes("standard output", live->out, strlen(live->out), replay->out, strlen(replay->out));
  expect_same_bytes("standard error", live->err, live->err_len, replay->err, replay->err_len);
}

static void expect_idempotent(const struct client *client, const char *url)
{
  if (!client_installed(&w, client))
    cr_skip_test("not installed: %s", client->packages);
  if (getenv("IDEM_SAN_PRELOAD") && strstr(client->program, "php"))
    cr_skip_test("a sanitizer's runtime refuses RTLD_DEEPBIND before it comes to us");
  const char *argv[CLIENT_ARGUMENTS];
  client_argv(client, url, argv);

  struct run plain = run_argv(&w, false, argv);
  expect_served(client, &plain);
  mock_reset(&w);
  struct run live = run_argv(&w, true, argv);
  expect_served(client, &live);
  expect_events(client, "stored", client->calls);
  mock_stop(&w);
  struct run replay = run_argv(&w, true, argv);
  expect_success(&replay);
  expect_events(client, "hit", client->calls);
  expect_events(client, "bypass", 0);
  expect_same_but_for_marks(&live, &replay);

  run_release(&plain);
  run_release(&live);
  run_release(&replay);
}

#define X(name, ...)                                                                                         \
  Test(real_clients, name)                                                                                   \
  {                                                                                                          \
    expect_idempotent(&clients[CLIENT_##name], world_url(&w, target));                                       \
  }
CLIENTS(X)
#undef X

Test(real_clients, curl_over_tls)
{
  expect_idempotent(&clients[CLIENT_curl], world_tls_url(&w, target));
}

Test(real_clients, php_curl_exec_over_tls)
{
  expect_idempotent(&clients[CLIENT_php_curl_exec], world_tls_url(&w, target));
}

Test(real_clients, pycurl_easy_over_tls)
{
  expect_idempotent(&clients[CLIENT_pycurl_easy], world_tls_url(&w, target));
}
