/* SPDX-License-Identifier: MIT */
/* IDEMSHIM_MODE=observe promises what idempotent mode keeps: calls, time and tokens, each once. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

TestSuite(observe, .init = set_up, .fini = close_world);

static long counter(const char *name)
{
  struct run r = run_plain(&w, "idemshim", "stats", "--json", NULL);
  json_t *stats = json_loads(r.out, 0, NULL);
  long value = (long)json_integer_value(json_object_get(stats, name));
  json_decref(stats);
  run_release(&r);
  return value;
}

/* One process that makes the same call three times. */
static struct run thrice(const char *const mode)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D60");
  return run_plain(&w, "idemshim", "run", "--mode", mode, "curl", "-sS", "-d", "{}", url, "--next", "-sS",
                   "-d", "{}", url, "--next", "-sS", "-d", "{}", url, NULL);
}

Test(observe, it_promises_what_idempotent_mode_saves)
{
  struct run observed = thrice("observe");
  expect_success(&observed);
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect_eq(log_events(&w, "would_hit"), 2);
  long hits = counter("would_hit"), in = counter("input_tokens_would_save"),
       out = counter("output_tokens_would_save");
  cr_expect_eq(hits, 2);
  cr_expect_geq(counter("ms_would_save"), 2 * 60);
  cr_expect_geq(in, 1);
  cr_expect(strstr(observed.err,
                   "idemshim: observe: 2 of 3 calls would have been answered from the store, which saves "),
            "%s", observed.err);
  cr_expect(strstr(observed.err, world_text(&w, "%ld input and %ld output tokens", in, out)), "%s",
            observed.err);
  struct run text = run_plain(&w, "idemshim", "stats", NULL);
  cr_expect(strstr(text.out, "would hit                2  calls of observe mode"), "%s", text.out);
  run_release(&text);
  cr_expect_eq(counter("live"), 3);

  struct run saved = thrice("idempotent");
  expect_success(&saved);
  cr_expect_eq(counter("hits"), hits);
  cr_expect_eq(counter("input_tokens_saved"), in);
  cr_expect_eq(counter("output_tokens_saved"), out);
  run_release(&observed);
  run_release(&saved);
}

/* Whoever tries it first hears that it was there. */
Test(observe, a_run_of_which_nothing_would_have_been_answered_says_so)
{
  const char *script = world_text(&w, "for n in 1 2; do curl -sS -d \"{\\\"n\\\":$n}\" '%s'; done; exit 5",
                                  world_url(&w, "/v1/chat/completions"));
  struct run first = run_plain(&w, "idemshim", "run", "--mode", "observe", "sh", "-c", script, NULL);
  struct run second = run_plain(&w, "idemshim", "run", "--mode", "observe", "sh", "-c", script, NULL);
  struct run idle = run_plain(&w, "idemshim", "run", "--mode", "observe", "true", NULL);

  cr_expect_eq(first.status, 5);
  cr_expect(strstr(first.err, "observe: 0 of 2 calls would have been answered from the store\n"), "%s",
            first.err);
  cr_expect_null(strstr(second.err, "observe: 0 of"), "%s", second.err);
  cr_expect(strstr(second.err, "observe: 1 of 1 calls"), "%s", second.err);
  cr_expect_str_eq(idle.err, "");
  run_release(&first);
  run_release(&second);
  run_release(&idle);
}
