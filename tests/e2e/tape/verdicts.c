/* SPDX-License-Identifier: MIT */
/* What libcurl calls a success and is none is told as a failure, wherever a tape is looked at; and whether
 * a retry made it good. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=1k,2k");
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

TestSuite(tape_verdicts, .init = set_up, .fini = close_world);

static const char *tape(void)
{
  return world_path(&w, "tape");
}

static void record(const char *body, const char *script)
{
  struct run r =
      run_plain(&w, "idemshim", "record", "-o", tape(), "curl", "-sS", CURL_JSON(body),
                world_url(&w, world_text(&w, "/v1/chat/completions?mock=still%%3D1,%s", script)), NULL);
  run_release(&r);
}

static struct run look(const char *what, const char *a, const char *b)
{
  const char *argv[] = {"idemshim", "tape", what, a, b, NULL};
  struct run r = run_argv(&w, false, argv);
  return r;
}

static void expect_words(struct run *r, const char *const *words)
{
  for (; *words; words++)
    cr_expect(strstr(r->out, *words), "expected \"%s\" in: %s%s", *words, r->out, r->err);
  run_release(r);
}
#define EXPECT_WORDS(r, ...) expect_words(r, (const char *const[]){__VA_ARGS__, NULL})

Test(tape_verdicts, a_cut_stream_an_error_in_a_200_and_a_body_over_the_limit_are_failures)
{
  record("{\"a\":1,\"stream\":true}", "truncate%3D1");
  record("{\"a\":2,\"stream\":true}", "error_event%3D1");
  record("{\"a\":3}", "size%3D5000");
  record("{\"a\":4}", "latency_ms%3D1");
  struct run ls = look("ls", tape(), NULL), json = look("ls", "--json", tape()),
             first = look("show", tape(), "1");
  struct run har = look("export", "--har", tape()), report = look("report", tape(), NULL);
  struct run spans = look("export", "--otlp", tape());

  EXPECT_WORDS(&first, "no answer     the stream has no end of its provider");
  cr_expect(strstr(ls.out, "there is an error event in the stream http"), "%s", ls.out);
  cr_expect(strstr(ls.out, "the answer is larger than max_body="), "%s", ls.out);
  json_t *lines = json_loads(json.out, 0, NULL);
  cr_assert_eq(json_array_size(lines), 4, "%s", json.out);
  for (size_t i = 0; i < 4; i++)
    cr_expect_eq(json_is_string(json_object_get(json_array_get(lines, i), "no_answer")), i < 3, "%s",
                 json.out);
  json_decref(lines);
  EXPECT_WORDS(&har, "\"_error\":\"NO_ANSWER\",\"comment\":\"the stream has no end of its provider");
  EXPECT_WORDS(&report, "<dt>no answer</dt>", "<div class=bad><dt>Failed</dt><dd>3</dd></div>");
  EXPECT_WORDS(&spans, "{\"key\":\"error.type\",\"value\":{\"stringValue\":\"NO_ANSWER\"}}");
  run_release(&ls);
  run_release(&json);
}

Test(tape_verdicts, they_are_red_on_a_terminal)
{
  record("{\"a\":1,\"stream\":true}", "truncate%3D1");
  record("{\"a\":2}", "latency_ms%3D1");
  struct run ls = run_terminal(&w, 250, world_text(&w, "idemshim tape ls %s", tape()));
  struct run bad = run_terminal(&w, 250, world_text(&w, "idemshim tape show %s 1", tape()));
  struct run good = run_terminal(&w, 250, world_text(&w, "idemshim tape show %s 2", tape()));

  cr_expect(strstr(ls.out, "\033[31m     1  "), "%s", ls.out);
  cr_expect_null(strstr(ls.out, "\033[31m     2  "), "%s", ls.out);
  cr_expect(strstr(bad.out, "\033[31mthe stream has no end of its provider's own"), "%s", bad.out);
  cr_expect_null(strstr(good.out, "\033[31m"), "%s", good.out);
  run_release(&ls);
  run_release(&bad);
  run_release(&good);
}

Test(tape_verdicts, what_a_retry_made_good_is_told_from_what_was_not)
{
  record("{\"a\":1}", "fail_first%3D1:429");
  record("{\"a\":2}", "status%3D500");
  record("{\"a\":1}", "fail_first%3D1:429");
  struct run ls = look("ls", tape(), NULL), json = look("ls", "--json", tape()),
             report = look("report", tape(), NULL);
  json_t *lines = json_loads(json.out, 0, NULL);
  json_t *first = json_array_get(lines, 0), *second = json_array_get(lines, 1),
         *third = json_array_get(lines, 2);

  cr_expect(strstr(ls.out, " (made good by 3) http://"), "%s", ls.out);
  cr_expect_eq(json_integer_value(json_object_get(first, "made_good_by")), 3, "%s", json.out);
  cr_expect(json_is_null(json_object_get(second, "made_good_by")));
  cr_expect(json_is_null(json_object_get(third, "made_good_by")));
  cr_expect(json_equal(json_object_get(first, "id"), json_object_get(third, "id")), "%s", json.out);
  cr_expect_not(json_equal(json_object_get(first, "id"), json_object_get(second, "id")));
  EXPECT_WORDS(&report, "Made good by a retry");
  json_decref(lines);
  run_release(&ls);
  run_release(&json);
}

/* A duplicate that comes one deadline after the first is no new question. */
Test(tape_verdicts, what_is_asked_again_after_a_timeout_is_told_as_that)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D60000");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=off");
  struct run twice = run_plain(
      &w, "idemshim", "record", "-o", tape(), "sh", "-c",
      world_text(&w, "curl -s -m 1 -d '{\"a\":1}' '%s'; curl -s -m 1 -d '{\"a\":1}' '%s'", url, url), NULL);
  struct run report = look("report", tape(), NULL);
  static const char words[] = "again after <a href='#e1'>1</a>, which was given up after ";
  const char *after = strstr(report.out, words);
  cr_expect(after && atof(after + strlen(words)) >= 1 && atof(after + strlen(words)) < 60, "%.100s",
            after ? after : "");
  EXPECT_WORDS(&report, "<dt>Retries</dt><dd>1</dd>", "<dt>Of them after a timeout</dt><dd>1</dd>");
  run_release(&twice);
}

Test(tape_verdicts, also_where_a_copy_has_finished_the_first)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D2000");
  world_env(&w, "IDEMSHIM_TAPE", "%s", tape());
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=1m");
  struct run first = run_shim(&w, "curl", "-s", "-m", "1", "-d", "{\"a\":1}", url, NULL);
  struct run retry = run_shim(&w, "curl", "-s", "-d", "{\"a\":1}", url, NULL);
  struct run report = look("report", tape(), NULL);
  expect_success(&retry);
  cr_expect_eq(first.status, 28);
  cr_expect_eq(mock_count(&w).served, 1);
  EXPECT_WORDS(&report, "<dt>Retries</dt><dd>1</dd>", "<dt>Of them after a timeout</dt><dd>1</dd>");
  run_release(&first);
  run_release(&retry);
}

/* Its stream has told tokens before it was given up, and tells them again when its copy is done with it. */
Test(tape_verdicts, what_a_copy_has_finished_is_paid_for_once)
{
  const char *url = world_url(&w, "/v1/messages?mock=row%3Danthropic-messages,case%3Dstream,stall_ms%3D2000");
  world_env(&w, "IDEMSHIM_TAPE", "%s", tape());
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=1m");
  struct run first = run_shim(&w, "curl", "-s", "-m", "1", CURL_JSON("{\"stream\":true}"), url, NULL);
  wait_until(log_events(&w, "rescued") == 1);
  struct run report = look("report", tape(), NULL);

  cr_expect_eq(first.status, 28);
  cr_expect(strstr(first.out, "message_start"), "%s", first.out);
  EXPECT_WORDS(&report, "<span>1 <small>in</small></span>");
  run_release(&first);
}

Test(tape_verdicts, a_replay_gives_what_was_no_answer_as_it_was)
{
  static const char *const words[] = {CURL_JSON("{\"a\":1,\"stream\":true}")};
  const char *url = world_url(&w, "/v1/chat/completions?mock=truncate%3D1");
  const char *record_it[] = {"idemshim", "record", "-o",     tape(),   "curl",   "-sS", words[0],
                             words[1],   words[2], words[3], words[4], words[5], url,   NULL};
  const char *replay_it[] = {"idemshim", "replay", tape(),   "curl",   "-sS", words[0], words[1],
                             words[2],   words[3], words[4], words[5], url,   NULL};
  struct run live = run_argv(&w, false, record_it);
  mock_stop(&w);
  struct run again = run_argv(&w, false, replay_it);

  cr_expect_eq(again.status, live.status);
  cr_expect_str_eq(again.out, live.out);
  run_release(&live);
  run_release(&again);
}
