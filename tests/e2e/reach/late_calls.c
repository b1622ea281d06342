/* SPDX-License-Identifier: MIT */
/* Calls from the last code of a program, when what the store needs may have ended before. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=0");
}

TestSuite(late_calls, .init = set_up, .fini = close_world);

/* `calls` of which the last `late` are from after our end: they go out each time. */
static void expect_untouched(const char *how, int calls, int late)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "late_calls", how, url, NULL);
  expect_success(&plain);
  cr_expect_eq(mock_count(&w).requests, calls, "%s: %s", how, plain.out);
  for (int i = 0; i < 2; i++) {
    mock_reset(&w);
    struct run shim = run_shim(&w, "late_calls", how, url, NULL);
    expect_success(&shim);
    cr_expect_eq(count_of(shim.out, "rc=0"), count_of(plain.out, "rc=0"), "%s: %s", how, shim.out);
    cr_expect_eq(mock_count(&w).requests, i ? late : calls, "%s: %ld requests", how, mock_count(&w).requests);
    run_release(&shim);
  }
  cr_expect_eq(log_events(&w, "stored"), calls - late, "%s", how);
  run_release(&plain);
}

Test(late_calls, from_handlers_and_destructors_go_out_untouched)
{
  expect_untouched("exit", 4, 3);
}

Test(late_calls, from_a_handler_of_quick_exit_goes_out_untouched)
{
  expect_untouched("quick", 2, 1);
}

Test(late_calls, after_the_end_of_openssl_go_out_untouched)
{
  expect_untouched("cleanup", 5, 4);
}

Test(late_calls, a_call_that_a_handler_finishes_is_stored)
{
  expect_untouched("multi", 5, 3);
}

static const char key[] = "0123456789abcdef0123456789abcdef";

/* There is no cipher any more by then. */
Test(late_calls, a_call_that_a_handler_finishes_in_an_encrypted_store_does_no_harm)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_write(&w, "key", key, sizeof(key) - 1));
  struct run run = run_shim(&w, "late_calls", "multi", url, NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "finished rc=0"), "%s", run.out);
  cr_expect_eq(count_of(run.out, "rc=0"), 5, "%s", run.out);
  cr_expect_eq(mock_count(&w).requests, 5);
  run_release(&run);
}

/* A replay that is too late is refused. */
Test(late_calls, in_replay_mode_never_go_out)
{
  world_env(&w, "IDEMSHIM_TAPE", "%s", world_path(&w, "tape"));
  world_env(&w, "IDEMSHIM_MODE", "record");
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run recorded = run_shim(&w, "late_calls", "exit", url, NULL);
  expect_success(&recorded);
  mock_reset(&w);
  world_env(&w, "IDEMSHIM_MODE", "replay");
  struct run replayed = run_shim(&w, "late_calls", "exit", url, NULL);
  expect_success(&replayed);
  cr_expect(strstr(replayed.out, "main rc=0"), "%s", replayed.out);
  cr_expect_eq(mock_count(&w).requests, 0);
  run_release(&recorded);
  run_release(&replayed);
}
