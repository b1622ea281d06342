/* SPDX-License-Identifier: MIT */
/* The mock through plain curl: each fault that can be scripted is the fault that a client sees. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(mock_faults, .init = open_world, .fini = close_world);

enum { CURL_PARTIAL = 18, CURL_TIMED_OUT = 28, CURL_RECV_ERROR = 56 };

static const char json_body[] = "{\"model\":\"m\"}";
static const char stream_body[] = "{\"model\":\"m\",\"stream\":true}";

/* Headers and body on standard output. */
static struct run post(const char *script, const char *body)
{
  return run_plain(&w, "curl", "-sSiN", "-m", "20", "-H", world_text(&w, "X-Mock: %s", script), "-d", body,
                   world_url(&w, "/v1/chat/completions"), NULL);
}

static void expect_unserved_work(void)
{
  struct mock_counts counts = mock_count(&w);

  cr_expect_eq(counts.requests, 1);
  cr_expect_eq(counts.served, 0);
  cr_expect_eq(counts.work, 1);
}

Test(mock_faults, a_429_says_when_to_retry)
{
  struct run r = post("status=429", json_body);

  cr_expect(strstr(r.out, "HTTP/1.1 429"), "%s", r.out);
  cr_expect(strstr(r.out, "Retry-After: 1"), "%s", r.out);
  cr_expect(strstr(r.out, "rate_limit_exceeded"), "%s", r.out);
  cr_expect_eq(mock_count(&w).served, 0);
  cr_expect_eq(mock_count(&w).work, 0);
  run_release(&r);
}

Test(mock_faults, the_first_calls_fail_and_then_it_works)
{
  struct run first = post("fail_first=2:500", json_body), second = post("fail_first=2:500", json_body);
  struct run third = post("fail_first=2:500", json_body), other = post("fail_first=2:500", "{\"other\":1}");

  cr_expect(strstr(first.out, "HTTP/1.1 500"));
  cr_expect(strstr(second.out, "HTTP/1.1 500"));
  cr_expect(strstr(third.out, "HTTP/1.1 200"));
  cr_expect(strstr(other.out, "HTTP/1.1 500"), "another body counts by itself");
  cr_expect_eq(mock_count(&w).work, 1);
  run_release(&first);
  run_release(&second);
  run_release(&third);
  run_release(&other);
}

Test(mock_faults, a_reset_before_the_header)
{
  struct run r = post("reset=headers", json_body);

  cr_expect_eq(r.status, CURL_RECV_ERROR, "%d: %s", r.status, r.err);
  cr_expect(strstr(r.err, "reset by peer"), "%s", r.err);
  cr_expect_eq(r.out_len, 0);
  expect_unserved_work();
  run_release(&r);
}

Test(mock_faults, a_reset_in_the_body)
{
  struct run r = post("reset=body", json_body);

  cr_expect_eq(r.status, CURL_RECV_ERROR, "%d: %s", r.status, r.err);
  cr_expect(strstr(r.err, "reset by peer"), "%s", r.err);
  cr_expect(strstr(r.out, "chatcmpl-"), "half of the body comes first: %s", r.out);
  expect_unserved_work();
  run_release(&r);
}

Test(mock_faults, a_reset_in_a_stream)
{
  struct run r = post("reset=body", stream_body);

  cr_expect_eq(r.status, CURL_RECV_ERROR, "%d: %s", r.status, r.err);
  cr_expect(strstr(r.out, "data: {"), "%s", r.out);
  cr_expect_null(strstr(r.out, "[DONE]"));
  expect_unserved_work();
  run_release(&r);
}

Test(mock_faults, a_truncated_body_is_shorter_than_its_length)
{
  struct run r = post("truncate=1", json_body);

  cr_expect_eq(r.status, CURL_PARTIAL, "%d: %s", r.status, r.err);
  expect_unserved_work();
  run_release(&r);
}

Test(mock_faults, a_truncated_stream_ends_well_but_for_its_end)
{
  struct run r = post("truncate=1", stream_body);

  expect_success(&r);
  cr_expect(strstr(r.out, "\"finish_reason\":null"), "%s", r.out);
  cr_expect_null(strstr(r.out, "\"finish_reason\":\"stop\""));
  cr_expect_null(strstr(r.out, "[DONE]"));
  expect_unserved_work();
  run_release(&r);
}

Test(mock_faults, a_stream_cut_off_without_framing)
{
  struct run r = post("truncate=2", stream_body);

  cr_expect_eq(r.status, CURL_PARTIAL, "%d: %s", r.status, r.err);
  expect_unserved_work();
  run_release(&r);
}

Test(mock_faults, a_body_that_ends_by_close_cannot_be_seen_to_be_short)
{
  struct run whole = post("length=close", json_body), half = post("length=close,truncate=1", json_body);

  expect_success(&whole);
  expect_success(&half);
  cr_expect_null(strstr(whole.out, "Content-Length"), "%s", whole.out);
  cr_expect_null(strstr(whole.out, "chunked"), "%s", whole.out);
  cr_expect_lt(half.out_len, whole.out_len);
  cr_expect_eq(mock_count(&w).served, 1);
  run_release(&whole);
  run_release(&half);
}

Test(mock_faults, an_error_event_ends_a_stream_or_does_not)
{
  struct run ends = post("error_event=1", stream_body), goes_on = post("error_event=2", stream_body);

  expect_success(&ends);
  cr_expect(strstr(ends.out, "HTTP/1.1 200"));
  cr_expect(strstr(ends.out, "data: {\"error\":"), "%s", ends.out);
  cr_expect_null(strstr(ends.out, "[DONE]"));
  cr_expect(strstr(goes_on.out, "data: {\"error\":"), "%s", goes_on.out);
  cr_expect(strstr(goes_on.out, "[DONE]"), "%s", goes_on.out);
  cr_expect_eq(mock_count(&w).served, 0);
  run_release(&ends);
  run_release(&goes_on);
}

Test(mock_faults, latency_outlasts_the_clients_patience)
{
  struct run r = run_plain(&w, "curl", "-sS", "-m", "0.2", "-d", "{}",
                           world_url(&w, "/v1/messages?mock=latency_ms=5000"), NULL);

  cr_expect_eq(r.status, CURL_TIMED_OUT, "%d: %s", r.status, r.err);
  cr_expect_lt(r.ms, 5000);
  expect_unserved_work();
  run_release(&r);
}

Test(mock_faults, a_stall_comes_after_half_of_the_body)
{
  struct run r = run_plain(&w, "curl", "-sSN", "-m", "0.5", "-H", "X-Mock: stall_ms=5000", "-d", "{}",
                           world_url(&w, "/v1/chat/completions"), NULL);

  cr_expect_eq(r.status, CURL_TIMED_OUT, "%d: %s", r.status, r.err);
  cr_expect(strstr(r.out, "chatcmpl-"), "%s", r.out);
  run_release(&r);
}

Test(mock_faults, the_default_holds_for_who_asks_for_nothing_and_a_reset_ends_it)
{
  struct run failed, well;

  mock_default(&w, "status=500");
  failed = run_plain(&w, "curl", "-sS", "-f", "-d", "{}", world_url(&w, "/v1/messages"), NULL);
  mock_reset(&w);
  well = run_plain(&w, "curl", "-sS", "-f", "-d", "{}", world_url(&w, "/v1/messages"), NULL);
  cr_expect_eq(failed.status, 22);
  expect_success(&well);
  run_release(&failed);
  run_release(&well);
}

Test(mock_faults, a_misspelt_script_is_refused)
{
  struct run r = post("latncy_ms=3", json_body);

  cr_expect(strstr(r.out, "HTTP/1.1 400"), "%s", r.out);
  cr_expect(strstr(r.out, "unknown name 'latncy_ms'"), "%s", r.out);
  run_release(&r);
}

static struct run post_with_key(const char *key)
{
  return run_plain(&w, "curl", "-sS", "-H", "X-Mock: honour_key=1", "-H",
                   world_text(&w, "Idempotency-Key: %s", key), "-d", "{}", world_url(&w, "/v1/messages"),
                   NULL);
}

Test(mock_faults, an_honoured_key_gets_the_same_answer_and_is_no_work)
{
  struct run first = post_with_key("a"), again = post_with_key("a"), other = post_with_key("b");
  struct mock_counts counts = mock_count(&w);

  expect_same_output(&first, &again);
  cr_expect(strcmp(first.out, other.out));
  cr_expect_eq(counts.served, 3);
  cr_expect_eq(counts.work, 2);
  run_release(&first);
  run_release(&again);
  run_release(&other);
}

Test(mock_faults, a_redirect_is_followed_to_its_end)
{
  struct run r = run_plain(&w, "curl", "-sSL", "-H", "X-Mock: redirect=/v1/messages", "-d", "{}",
                           world_url(&w, "/v1/chat/completions"), NULL);

  expect_success(&r);
  cr_expect(strstr(r.out, "end_turn"), "%s", r.out);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(mock_count(&w).work, 1);
  run_release(&r);
}

Test(mock_faults, gzip_decodes_to_an_answer)
{
  struct run json = run_plain(&w, "curl", "-sS", "--compressed", "-H", "X-Mock: encoding=gzip,size=150000",
                              "-d", json_body, world_url(&w, "/v1/chat/completions"), NULL);
  struct run stream = run_plain(&w, "curl", "-sSN", "--compressed", "-H", "X-Mock: encoding=gzip", "-d",
                                stream_body, world_url(&w, "/v1/chat/completions"), NULL);

  expect_success(&json);
  cr_expect(json.out_len > 140000 && json.out_len < 160000, "%zu bytes", json.out_len);
  cr_expect(strstr(json.out, "fp_mock\"}"));
  expect_success(&stream);
  cr_expect(strstr(stream.out, "data: [DONE]\n\n"), "%s", stream.out);
  run_release(&json);
  run_release(&stream);
}

Test(mock_faults, cookies_hints_and_echo_come_on_request)
{
  struct run r = post("cookie=1,informational=1,echo=1", "{\"this is\":\"what I said\"}");

  expect_success(&r);
  cr_expect(strstr(r.out, "HTTP/1.1 103 Early Hints"), "%s", r.out);
  cr_expect(strstr(r.out, "Set-Cookie: mock_session="), "%s", r.out);
  cr_expect(strstr(r.out, "\\\"what I said\\\""), "%s", r.out);
  run_release(&r);
}

Test(mock_faults, a_stopped_mock_refuses)
{
  struct run r;

  mock_stop(&w);
  r = run_plain(&w, "curl", "-sS", world_url(&w, "/v1/messages"), NULL);
  cr_expect_eq(r.status, 7, "%d: %s", r.status, r.err);
  run_release(&r);
}
