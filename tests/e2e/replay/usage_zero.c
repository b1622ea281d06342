/* SPDX-License-Identifier: MIT */
/* usage=zero: a replay says that it took no tokens, and is else the live call's, byte for byte. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 usage=zero");
}

TestSuite(usage_zero, .init = set_up, .fini = close_world);

#define WHOLE  "{\"model\":\"m\",\"messages\":[]}"
#define STREAM "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"

static struct run call(const char *body)
{
  return run_shim(&w, "curl", "-sS", "-i", CURL_JSON(body), world_url(&w, "/v1/chat/completions"), NULL);
}

/* Lets the bytes differ in digits and blanks alone. */
static void expect_same_but_for_numbers(const char *live, const char *replayed, const char *what)
{
  const char *a = strstr(live, "\r\n\r\n"), *b = strstr(replayed, "\r\n\r\n");
  cr_assert(a && b, "%s", what);
  cr_assert_eq(strlen(a), strlen(b), "%s: %s%s", what, a, b);
  for (size_t i = 0; a[i]; i++)
    cr_assert(a[i] == b[i] || (strchr("0123456789", a[i]) && strchr("0 ", b[i])), "%s: byte %zu of %s", what,
              i, b);
}

static void expect_zeros(const char *body, const char *what)
{
  struct run live = call(body), replayed = call(body);
  expect_success(&replayed);
  expect_same_but_for_numbers(live.out, replayed.out, what);
  cr_expect_null(strstr(live.out, "\"prompt_tokens\":0"), "%s", what);
  cr_expect(strstr(replayed.out, "\"prompt_tokens\":0"), "%s: %s", what, replayed.out);
  cr_expect(strstr(replayed.out, "\"completion_tokens\":0"), "%s: %s", what, replayed.out);
  run_release(&live);
  run_release(&replayed);
}

Test(usage_zero, a_replay_took_nothing)
{
  expect_zeros(WHOLE, "whole");
  expect_zeros(STREAM, "stream");
  cr_expect_eq(log_events(&w, "hit"), 2);
  cr_expect(log_contains(&w, "\"reason\":\"usage_zeroed\""));
  cr_expect_eq(mock_count(&w).served, 2);
}

Test(usage_zero, by_transport_it_is_the_same)
{
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  expect_zeros(WHOLE, "whole");
  expect_zeros(STREAM, "stream");
}

/* One is sent, and the other waits for it to the end. */
Test(usage_zero, who_joins_a_stream_took_nothing)
{
  struct run r = run_shell(
      &w,
      world_text(&w,
                 "for i in 1 2; do curl -sS -d '%s' '%s' > \"$HOME/said.$i\" & done; wait; "
                 "cat \"$HOME\"/said.* | grep -c '\"prompt_tokens\":0'; cat \"$HOME\"/said.* | grep -c DONE",
                 STREAM, world_url(&w, "/v1/chat/completions?mock=latency_ms%3D700")));
  cr_expect_str_eq(r.out, "1\n2\n", "%s", r.err);
  cr_expect_eq(mock_count(&w).served, 1);
  run_release(&r);
}

Test(usage_zero, a_tape_has_what_upstream_said)
{
  const char *tape = world_path(&w, "tape");
  world_env(&w, "IDEMSHIM_TAPE", "%s", tape);
  struct run live = call(WHOLE), replayed = call(WHOLE);
  struct run first = run_plain(&w, "idemshim", "tape", "show", "--body", tape, "1", NULL);
  struct run second = run_plain(&w, "idemshim", "tape", "show", "--body", tape, "2", NULL);

  cr_expect(strstr(replayed.out, "\"prompt_tokens\":0"), "%s", replayed.out);
  cr_expect_str_eq(first.out, second.out);
  cr_expect_null(strstr(second.out, "\"prompt_tokens\":0"), "%s", second.out);
  run_release(&live);
  run_release(&replayed);
  run_release(&first);
  run_release(&second);
}

Test(usage_zero, without_it_every_byte_stays)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1");
  struct run live = call(WHOLE), replayed = call(WHOLE);
  cr_expect_str_eq(strstr(live.out, "\r\n\r\n"), strstr(replayed.out, "\r\n\r\n"));
  run_release(&live);
  run_release(&replayed);
}
