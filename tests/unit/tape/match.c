/* SPDX-License-Identifier: MIT */
/* Which recorded outcome a call of a replay gets: by key, then lane, then order, each once. */
#include "tests/unit/tape/fixture.h"

#include "tape/mask.h"
#include "tests/unit/in_use.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct tape_matcher *matcher;
static struct tape_matching matching;
static struct tape_match match;

static void close_matcher(void)
{
  tape_close_matcher(matcher);
  close_fixture();
}

TestSuite(tape_match, .init = open_fixture, .fini = close_matcher);

/* One recorded exchange of a lane, or process and lane. */
static void recorded_by(const char *body, unsigned status, uint32_t process, uint32_t lane)
{
  struct exchange exchange = exchange_of(&fixture, body);
  exchange.call.lane = lane;
  exchange.call.process_us += process;
  exchange.outcome.status = (uint16_t)status;
  exchange_record(&exchange);
}

static void recorded(const char *body, unsigned status)
{
  recorded_by(body, status, 0, 1);
}

static void begin_replay(void)
{
  tape_close_matcher(matcher);
  cr_assert_eq(tape_open_matcher(&matcher, fixture_tape(&fixture), &matching, &fixture.error), 0, "%s",
               fixture.error.text);
}

static enum tape_verdict ask_exchange(struct exchange *exchange, uint32_t lane)
{
  exchange->call.lane = lane;
  exchange->request.rule = fixture.config.rules;
  exchange->request.headers = exchange->headers;
  tape_name(&exchange->request, &exchange->call);
  return tape_match(matcher, &exchange->request, &exchange->call, &match);
}

static enum tape_verdict ask_in(const char *body, uint32_t lane)
{
  struct exchange exchange = exchange_of(&fixture, body);
  return ask_exchange(&exchange, lane);
}

static enum tape_verdict ask(const char *body)
{
  return ask_in(body, 1);
}

static unsigned status(void)
{
  struct tape_record record = {0};
  cr_assert_eq(tape_read(fixture.tape, match.number, &record, &fixture.error), 0, "%s", fixture.error.text);
  unsigned status = record.outcome.status;
  tape_record_release(&record);
  return status;
}

static void gets(const char *body, unsigned wanted)
{
  cr_assert_eq(ask(body), TAPE_FOUND, "%s", match.note);
  cr_expect_eq(status(), wanted, "%u", status());
}

Test(tape_match, the_nth_identical_call_gets_the_nth_outcome)
{
  recorded("{}", 429);
  recorded("{\"other\":1}", 200);
  recorded("{}", 503);
  recorded("{}", 200);
  begin_replay();
  gets("{}", 429);
  gets("{}", 503);
  gets("{}", 200);
  gets("{ \"other\": 1 }", 200);
}

Test(tape_match, after_the_last_there_is_none)
{
  recorded("{}", 200);
  begin_replay();
  gets("{}", 200);
  cr_expect_eq(ask("{}"), TAPE_EXHAUSTED);
  cr_expect(strstr(match.note, "was recorded 1 time, and it has been replayed"), "%s", match.note);
}

Test(tape_match, or_the_last_again)
{
  matching.last = true;
  recorded("{}", 429);
  recorded("{}", 200);
  begin_replay();
  gets("{}", 429);
  gets("{}", 200);
  gets("{}", 200);
}

Test(tape_match, a_lane_gets_its_own_and_then_what_is_left)
{
  recorded_by("{}", 201, 0, 1);
  recorded_by("{}", 202, 0, 2);
  recorded_by("{}", 203, 0, 2);
  begin_replay();
  cr_assert_eq(ask_in("{}", 2), TAPE_FOUND);
  cr_expect_eq(status(), 202);
  cr_assert_eq(ask_in("{}", 2), TAPE_FOUND);
  cr_expect_eq(status(), 203);
  cr_assert_eq(ask_in("{}", 2), TAPE_FOUND);
  cr_expect_eq(status(), 201);
}

Test(tape_match, credential_and_scope_of_the_other_desk_do_not_count)
{
  recorded("{}", 200);
  begin_replay();
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.request.header_count = 0;
  exchange.request.scope = SPAN("another");
  exchange_header(&exchange, "Content-Type: application/json");
  exchange_header(&exchange, "Authorization: Bearer test-credential-omega");
  cr_expect_eq(ask_exchange(&exchange, 1), TAPE_FOUND);
}

static struct exchange with_key(const char *header)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_header(&exchange, header);
  return exchange;
}

Test(tape_match, a_key_of_the_app_is_looked_for_before_the_content)
{
  struct exchange a = with_key("Idempotency-Key: a"), b = with_key("Idempotency-Key: b");
  a.outcome.status = 201;
  b.outcome.status = 202;
  exchange_record(&a);
  exchange_record(&b);
  begin_replay();
  cr_assert_eq(ask_exchange(&b, 1), TAPE_FOUND);
  cr_expect_eq(status(), 202);
}

Test(tape_match, a_key_that_is_new_in_each_run_is_no_obstacle)
{
  struct exchange a = with_key("Idempotency-Key: a"), b = with_key("Idempotency-Key: b");
  exchange_record(&a);
  begin_replay();
  cr_expect_eq(ask_exchange(&b, 1), TAPE_FOUND);
}

Test(tape_match, what_the_app_never_saw_is_not_replayed)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.call.what = TAPE_RESCUE;
  exchange_record(&exchange);
  begin_replay();
  cr_expect_eq(ask("{}"), TAPE_MISS);
}

Test(tape_match, children_and_their_parent_share_the_count)
{
  recorded("{}", 429);
  recorded("{}", 200);
  begin_replay();
  pid_t child = fork();
  if (child == 0)
    _exit(ask("{}") == TAPE_FOUND && status() == 429 ? 0 : 1);
  int result;
  cr_assert_eq(waitpid(child, &result, 0), child);
  cr_expect_eq(result, 0);
  gets("{}", 200);
  cr_expect_eq(ask("{}"), TAPE_EXHAUSTED);
}

Test(tape_match, processes_that_share_a_file_share_the_count)
{
  matching.state = fixture_beside(&fixture, "state");
  recorded_by("{}", 429, 0, 1);
  recorded_by("{}", 200, 1000000, 1);
  begin_replay();
  gets("{}", 429);
  begin_replay();
  gets("{}", 200);
  begin_replay();
  cr_expect_eq(ask("{}"), TAPE_EXHAUSTED);
}

Test(tape_match, a_process_gets_what_the_process_in_its_place_got)
{
  matching.state = fixture_beside(&fixture, "state");
  recorded_by("{\"first\":1}", 200, 0, 1);
  recorded_by("{}", 201, 0, 1);
  recorded_by("{}", 202, 1000000, 1);
  begin_replay();
  gets("{\"first\":1}", 200);
  begin_replay();
  gets("{}", 202);
}

Test(tape_match, the_state_of_another_tape_is_refused)
{
  matching.state = fixture_beside(&fixture, "state");
  recorded("{}", 200);
  begin_replay();
  tape_close_matcher(matcher);
  matcher = NULL;
  recorded("{}", 200);
  cr_expect_eq(tape_open_matcher(&matcher, fixture_tape(&fixture), &matching, &fixture.error), -EINVAL);
}

/* A device has no room of its own, as a full disk has none. Nothing of it stays open, whoever tries again. */
Test(tape_match, a_state_that_cannot_be_made_is_said_and_left)
{
  recorded("{}", 200);
  struct tape *tape = fixture_tape(&fixture);
  int before = open_count();
  matching.state = "/dev/null";
  cr_expect_lt(tape_open_matcher(&matcher, tape, &matching, &fixture.error), 0);
  cr_expect_null(matcher);
  cr_expect(strstr(fixture.error.text, "/dev/null: "), "%s", fixture.error.text);
  matching.state = "/nowhere/state";
  cr_expect_eq(tape_open_matcher(&matcher, tape, &matching, &fixture.error), -ENOENT);
  cr_expect_eq(open_count(), before);
}

Test(tape_match, a_state_is_not_open_once_it_is_mapped)
{
  recorded("{}", 200);
  struct tape *tape = fixture_tape(&fixture);
  int before = open_count();
  matching.state = fixture_beside(&fixture, "state");
  cr_assert_eq(tape_open_matcher(&matcher, tape, &matching, &fixture.error), 0, "%s", fixture.error.text);
  cr_expect_eq(open_count(), before);
}

static void *all_exchanges(void *arg)
{
  unsigned *sum = arg;
  for (struct tape_match m = {0}; *sum < 100000; *sum += (unsigned)m.number) {
    struct exchange exchange = exchange_of(&fixture, "{}");
    exchange.request.rule = fixture.config.rules;
    exchange.request.headers = exchange.headers;
    tape_name(&exchange.request, &exchange.call);
    if (tape_match(matcher, &exchange.request, &exchange.call, &m) != TAPE_FOUND)
      break;
  }
  return NULL;
}

Test(tape_match, threads_never_get_the_same_outcome)
{
  enum { COUNT = 200, THREADS = 4 };
  pthread_t threads[THREADS];
  unsigned sums[THREADS] = {0}, sum = 0;
  for (int i = 0; i < COUNT; i++)
    recorded("{}", 200);
  begin_replay();
  for (int i = 0; i < THREADS; i++)
    pthread_create(&threads[i], NULL, all_exchanges, &sums[i]);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    sum += sums[i];
  }
  cr_expect_eq(sum, COUNT * (COUNT + 1) / 2);
}

/* A miss. */

#define PROMPT(date) "{\"model\":\"m\",\"messages\":[{\"content\":\"It is " date ". Hello.\"}]}"

Test(tape_match, a_miss_names_the_nearest_and_the_first_difference)
{
  recorded("{\"model\":\"m\"}", 200);
  recorded(PROMPT("2026-11-21"), 200);
  begin_replay();
  cr_expect_eq(ask(PROMPT("2026-11-22")), TAPE_MISS);
  cr_expect_eq(match.number, 2);
  cr_expect_str_eq(match.note,
                   "nothing recorded for this request; the nearest is exchange 2; first difference "
                   "(recorded / now): JSON /messages/0/content at offset 15 (\"2026-11-21. Hello.\" / "
                   "\"2026-11-22. Hello.\")");
}

static void is_nearest(const char *body, uint64_t number)
{
  cr_expect_eq(ask(body), TAPE_MISS);
  cr_expect_eq(match.number, number, "%s: %zu", body, (size_t)match.number);
}

/* By the bytes that both have at their ends, of those that the longer one has; the earliest of equals. */
Test(tape_match, the_nearest_has_the_most_in_common_at_both_ends)
{
  recorded("{\"prompt\":\"abcdefghij\"}", 200);
  recorded("{\"prompt\":\"abcdefghij, and much more than that, which is of another call\"}", 200);
  recorded("{\"prompt\":\"zzzzzfghij\"}", 200);
  recorded("{\"prompt\":\"abcdezzzzz\"}", 200);
  recorded("{\"prompt\":\"abczzzzzij\"}", 200);
  recorded("{\"prompt\":\"qqqqqqqqqqklmnop\"}", 200);
  begin_replay();
  is_nearest("{\"prompt\":\"rrrrrrrrrrklmnop\"}", 6);
  is_nearest("{\"prompt\":\"abcdefghix\"}", 1);
  is_nearest("{\"prompt\":\"yyyyyfghij\"}", 1);
  is_nearest("{\"prompt\":\"zzzzyfghij\"}", 3);
  is_nearest("{\"prompt\":\"abcdezzzyz\"}", 4);
  is_nearest("{\"prompt\":\"abczzyzzij\"}", 5);
  is_nearest("{\"prompt\":\"abcdefghij, and much more than that, which is of this call\"}", 2);
}

static void recorded_at(const char *origin, const char *body, enum tape_what what)
{
  struct exchange exchange = exchange_of(&fixture, body);
  exchange.request.origin = SPAN(origin);
  exchange.call.what = what;
  exchange_record(&exchange);
}

/* A call that the app never saw the end of explains nothing. */
Test(tape_match, of_two_that_are_as_near_it_is_that_of_the_same_server)
{
  recorded_at("https://api.example.com:443", "{\"n\":5}", TAPE_RESCUE);
  recorded_at("https://other.example:443", "{\"n\":1}", TAPE_LIVE);
  recorded_at("https://api.example.com:443", "{\"n\":2}", TAPE_LIVE);
  recorded_at("https://api.example.com:443", "{\"n\":3}", TAPE_LIVE);
  begin_replay();
  is_nearest("{\"n\":5}", 3);
}

/* What is left out on the tape is left out here, and an empty body is as near as any empty one. */
Test(tape_match, bodies_of_nothing_are_alike)
{
  recorded_at("https://other.example:443", "", TAPE_LIVE);
  recorded_at("https://other.example:443", "{}", TAPE_LIVE);
  begin_replay();
  is_nearest("", 1);
}

Test(tape_match, a_miss_names_the_header_that_differs)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_header(&exchange, "X-Own: a");
  exchange_record(&exchange);
  begin_replay();
  exchange = exchange_of(&fixture, "{}");
  exchange_header(&exchange, "X-Own: b");
  cr_expect_eq(ask_exchange(&exchange, 1), TAPE_MISS);
  cr_expect(strstr(match.note, "(recorded / now): header X-Own"), "%s", match.note);
}

Test(tape_match, a_miss_with_nothing_near_says_so)
{
  recorded("{}", 200);
  begin_replay();
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.request.path = SPAN("/v2");
  cr_expect_eq(ask_exchange(&exchange, 1), TAPE_MISS);
  cr_expect_eq(match.number, 0);
  cr_expect(strstr(match.note, "nor any other POST of https://api.example.com:443/v2"), "%s", match.note);
}

Test(tape_match, a_miss_never_shows_what_is_redacted)
{
  fixture_rule(&fixture, "redact=/user");
  recorded("{\"user\":\"a@example.com\",\"n\":1}", 200);
  begin_replay();
  cr_expect_eq(ask("{\"user\":\"b@example.com\",\"n\":2}"), TAPE_MISS);
  cr_expect_null(strstr(match.note, "example.com\""), "%s", match.note);
  cr_expect(strstr(match.note, "JSON /n"), "%s", match.note);
}

/* Loosely. */

Test(tape_match, loosely_dates_and_uuids_do_not_count)
{
  matching.loose = true;
  recorded(PROMPT("2026-11-21"), 429);
  recorded(PROMPT("2026-11-21"), 200);
  begin_replay();
  gets(PROMPT("2026-11-22"), 429);
  cr_expect(match.loose);
  cr_expect(strstr(match.note, "/messages/0/content"), "%s", match.note);
  gets(PROMPT("2027-01-01"), 200);
  cr_expect_eq(ask(PROMPT("2027-01-02")), TAPE_EXHAUSTED);
}

Test(tape_match, loosely_dates_in_headers_do_not_count)
{
  static const char *const lines[] = {"X-Today: 2026-11-22", "X-Today: 2026-11-23", "X-Today: never"};
  matching.loose = true;
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange_header(&exchange, lines[0]);
  exchange_record(&exchange);
  begin_replay();
  for (int i = 1; i < 3; i++) {
    exchange = exchange_of(&fixture, "{}");
    exchange_header(&exchange, lines[i]);
    cr_expect_eq(ask_exchange(&exchange, 1), i == 1 ? TAPE_FOUND : TAPE_MISS, "%s", lines[i]);
    cr_expect(i > 1 || match.loose);
    begin_replay();
  }
}

/* Where nothing but a date differs it is JSON all the same. */
Test(tape_match, loosely_the_way_it_is_written_does_not_count_either)
{
  matching.loose = true;
  recorded("{\"a\":\"2026-11-21\",\"b\":1}", 200);
  begin_replay();
  cr_expect_eq(ask("{ \"b\": 1, \"a\": \"2026-11-22\" }"), TAPE_FOUND, "%s", match.note);
  cr_expect(match.loose);
}

/* And with which escapes; of a member's name a date counts. */
Test(tape_match, loosely_a_date_is_found_in_what_a_string_says)
{
  matching.loose = true;
  recorded("{\"a\":\"2026-11-21\"}", 200);
  recorded("{\"2026-11-21\":1}", 200);
  begin_replay();
  cr_expect_eq(ask("{\"a\":\"2026\\u002d11-22\"}"), TAPE_FOUND, "%s", match.note);
  cr_expect_eq(ask("{\"2026-11-22\":1}"), TAPE_MISS, "%s", match.note);
}

Test(tape_match, loosely_other_content_counts_all_the_same)
{
  matching.loose = true;
  recorded(PROMPT("2026-11-21"), 200);
  begin_replay();
  cr_expect_eq(ask(PROMPT("yesterday")), TAPE_MISS);
}

Test(tape_match, loosely_what_the_rule_ignores_now_does_not_count)
{
  matching.loose = true;
  recorded("{\"n\":1,\"seed\":7}", 200);
  begin_replay();
  cr_expect_eq(ask("{\"n\":1,\"seed\":8}"), TAPE_MISS);
  fixture_rule(&fixture, "ignore=/seed");
  begin_replay();
  cr_expect_eq(ask("{\"n\":1,\"seed\":8}"), TAPE_FOUND);
  cr_expect(match.loose);
}

Test(tape_match, an_exact_match_is_not_loose)
{
  matching.loose = true;
  recorded("{}", 200);
  begin_replay();
  gets("{}", 200);
  cr_expect_not(match.loose);
}

static void masks(const char *text, const char *wanted)
{
  struct buffer out = {0};
  tape_mask(&out, SPAN(text));
  cr_expect(out.len == strlen(wanted) && (!out.len || memcmp(out.data, wanted, out.len) == 0),
            "%.*s is not %s", (int)out.len, out.data, wanted);
  free(out.data);
}

Test(tape_mask, takes_out_what_differs_from_day_to_day)
{
  masks("at 2026-11-22.", "at <date>.");
  masks("2026-11-22T14:03:09.123Z", "<date>T<time>");
  masks("2026-11-22 14:03:09+02:00 x", "<date> <time> x");
  masks("Sat, 22 Nov 2026 14:03:09 GMT", "<day>, <date> <time> GMT");
  masks("Today is Saturday, November 22, 2026.", "Today is <day>, <date>.");
  masks("id 6f1c0a52-8f3e-4b11-9c55-0123456789ab", "id <uuid>");
  masks("req/6F1C0A52-8F3E-4B11-9C55-0123456789AB/x", "req/<uuid>/x");
}

Test(tape_mask, leaves_alone_what_only_looks_a_little_like_it)
{
  static const char *const texts[] = {"6g1c0a52-8f3e-4b11-9c55-0123456789ab",
                                      "6f1c0a52-8f3e-4b11-9c55-0123456789a",
                                      "",
                                      "gpt-4o-2024",
                                      "12026-11-221",
                                      "x2026-11-22",
                                      "10.0.0.1",
                                      "1:2",
                                      "Maybe",
                                      "6f1c0a52-8f3e-4b11-9c55-0123456789abc",
                                      "Monda",
                                      "May 7"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
    masks(texts[i], texts[i]);
}
