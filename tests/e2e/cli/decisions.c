/* SPDX-License-Identifier: MIT */
/* idemshim explain and stats: why a call was not stored, why it was left alone, and what
 * would make two calls one. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(decisions, .init = open_world, .fini = close_world);

static void call(const char *body, const char *target, const char *header)
{
  struct run r = run_shim(&w, "curl", "-sS", CURL_JSON(body), "-H", header, world_url(&w, target), NULL);
  expect_success(&r);
  run_release(&r);
}

/* The id of the newest decision with this event. */
static const char *id_of(const char *event)
{
  struct run r = run_shell_plain(
      &w, world_text(&w, "idemshim explain --recent | awk '$4 == \"%s\" {print $3; exit}'", event));
  const char *id = world_text(&w, "%.16s", r.out);
  cr_assert_eq(strlen(id), 16, "%s%s", r.out, r.err);
  run_release(&r);
  return id;
}

static void expect_words(struct run *r, const char *const *words)
{
  for (; *words; words++)
    cr_expect(strstr(r->out, *words), "expected \"%s\" in: %s%s", *words, r->out, r->err);
  run_release(r);
}
#define EXPECT_WORDS(r, ...) expect_words(r, (const char *const[]){__VA_ARGS__, NULL})

Test(decisions, a_call_that_was_never_stored_is_explained)
{
  call("{\"a\":1}", "/v1/chat/completions?mock=status%3D500", "X-None: 1");
  struct run r = run_plain(&w, "idemshim", "explain", id_of("not_stored"), NULL);
  struct run json = run_plain(&w, "idemshim", "explain", "--json", id_of("not_stored"), NULL);

  expect_success(&r);
  expect_success(&json);
  EXPECT_WORDS(
      &r, "POST http://127.0.0.1:", "why           not_stored: status 500 is not one that the rule stores",
      "what to do    only a whole success is kept");
  EXPECT_WORDS(&json, "\"event\": \"not_stored\"", "\"status\": 500");
}

Test(decisions, a_call_that_was_left_alone_is_listed_and_counted)
{
  call("{\"a\":1}", "/v1/chat/completions", "Cache-Control: no-store");
  call("{\"a\":2}", "/v1/chat/completions", "Cache-Control: no-store");
  struct run recent = run_plain(&w, "idemshim", "explain", "--recent", "--limit", "1", NULL);
  struct run stats = run_plain(&w, "idemshim", "stats", NULL);

  cr_expect_eq(strchr(recent.out, '\n'), recent.out + recent.out_len - 1, "%s", recent.out);
  EXPECT_WORDS(&recent, "bypass", "Cache-Control: no-store");
  EXPECT_WORDS(&stats, "\n     2  bypass: Cache-Control: no-store\n");
}

Test(decisions, that_there_is_none_is_said)
{
  call("{\"a\":1}", "/v1/chat/completions", "X-None: 1");
  struct run r = run_plain(&w, "idemshim", "explain", "--recent", NULL);

  cr_expect_eq(r.status, 0);
  cr_expect(strstr(r.err, "no decision is remembered: every call was answered, or was sent and stored\n"),
            "%s%s", r.out, r.err);
  run_release(&r);
}

/* The last row is for all that find no other, so that the sum is that of all. */
Test(decisions, more_reasons_than_there_are_rows_are_told_as_others)
{
  for (int status = 500; status < 570; status++)
    call("{\"a\":1}", world_text(&w, "/v1/chat/completions?mock=status%%3D%d", status), "X-None: 1");
  struct run metrics = run_plain(&w, "idemshim", "stats", "--prometheus", NULL);
  long sum = 0;
  for (const char *at = metrics.out; (at = strstr(at, "\nidemshim_recent_decisions{")); at++)
    sum += strtol(strstr(at, "\"} ") + 3, NULL, 10);
  cr_expect_eq(count_of(metrics.out, "\nidemshim_recent_decisions{"), 64, "%s", metrics.out);
  cr_expect_eq(sum, 70, "%s", metrics.out);
  cr_expect(strstr(metrics.out, "event=\"other\",host=\"\",rule=\"\",reason=\"any other\"} 7\n"), "%s",
            metrics.out);
  cr_expect(strstr(metrics.out, "\nidemshim_decisions_total "), "%s", metrics.out);
  run_release(&metrics);
}

/* What a scraper refuses is refused here; the values of labels may have quotes. */
Test(decisions, metrics_tell_them_by_host_rule_and_reason)
{
  world_env(&w, "IDEMSHIM_RULES", "host=localhost; host=127.0.0.1 mismatch=reject");
  call("{\"a\":1}", "/v1/chat/completions", "Cache-Control: no-store");
  call("{\"a\":2}", "/v1/chat/completions", "Cache-Control: no-store");
  call("{\"a\":3}", "/v1/chat/completions?mock=status%3D500", "X-None: 1");
  struct run metrics = run_plain(&w, "idemshim", "stats", "--prometheus", NULL);
  struct run checked = run_shell_plain(
      &w, "command -v promtool >/dev/null || exit 77; idemshim stats --prometheus | promtool check metrics");
  world_env(&w, "IDEMSHIM_RULES", "nonsense");
  struct run without = run_plain(&w, "idemshim", "stats", "--prometheus", NULL);

  cr_expect(
      strstr(metrics.out, world_text(&w,
                                     "\nidemshim_recent_decisions{event=\"bypass\",host=\"127.0.0.1:%d\","
                                     "rule=\"IDEMSHIM_RULES 2\",reason=\"Cache-Control: no-store\"} 2\n",
                                     w.port)),
      "%s%s", metrics.out, metrics.err);
  cr_expect(strstr(metrics.out,
                   "rule=\"IDEMSHIM_RULES 2\",reason=\"status 500 is not one that the rule stores\"} 1\n"),
            "%s", metrics.out);
  cr_expect(strstr(without.out, ",rule=\"\",reason=\"Cache-Control: no-store\"} 2\n"), "%s%s", without.out,
            without.err);
  cr_expect(checked.status == 77 || (checked.status == 0 && checked.out_len + checked.err_len == 0), "%s%s",
            checked.out, checked.err);
  run_release(&metrics);
  run_release(&checked);
  run_release(&without);
}

Test(decisions, an_answer_s_reason_is_told_before_what_is_nearest)
{
  call("{\"a\":1}", "/v1/chat/completions", "X-Stamp: 1");
  call("{\"a\":1}", "/v1/chat/completions", "X-Stamp: 2");
  struct run r = run_plain(&w, "idemshim", "explain", NULL);

  EXPECT_WORDS(&r, "why           header_drift: X-Stamp",
               world_text(&w, "rule          host=127.0.0.1:%d vary=*,-X-Stamp", w.port));
}

Test(decisions, two_calls_are_compared_and_what_is_in_force_is_not_advised)
{
  call("{\"a\":1,\"at\":\"x\"}", "/v1/chat/completions", "X-None: 1");
  call("{\"a\":1,\"at\":\"y\"}", "/v1/chat/completions", "X-None: 1");
  static const char script[] =
      "set -- $(idemshim ls --json | grep -o '\"id\": *\"[0-9a-f]*' | grep -o '[0-9a-f]*$'); "
      "idemshim explain $1 $2";
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ignore=/b");
  struct run other = run_shell_plain(&w, script);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ignore=/at");
  struct run same = run_shell_plain(&w, script);

  EXPECT_WORDS(&other, "difference    JSON /at", "rule          host=127.0.0.1 ignore=/b,/at\n");
  cr_expect_not(strstr(same.out, "put into the rule"), "%s", same.out);
  EXPECT_WORDS(&same, "what to do    nothing: the rule in force (IDEMSHIM_RULES 1) does it already");
}

Test(decisions, an_encrypted_store_shows_nothing_of_the_call)
{
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32));
  call("{\"a\":1}", "/v1/chat/completions?mock=status%3D500", "X-None: 1");
  struct run r = run_plain(&w, "idemshim", "explain", "--recent", NULL);

  cr_expect(strstr(r.out, "not_stored"), "%s", r.out);
  cr_expect_not(file_contains(w.store, "/v1/chat/completions"));
  run_release(&r);
}
