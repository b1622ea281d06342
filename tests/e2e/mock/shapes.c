/* SPDX-License-Identifier: MIT */
/* The mock through plain curl: each provider's answers, and what is counted. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(mock_shapes, .init = open_world, .fini = close_world);

struct endpoint {
  char path[80];
  char text[40];  /* what the JSON answer has */
  char usage[40]; /* how it counts tokens */
  char first[40]; /* what a stream has; empty: it never streams */
  char end[60];
};

static struct endpoint endpoints[] = {
    {"/v1/chat/completions", "\"chat.completion\"", "\"completion_tokens\":", "\"chat.completion.chunk\"",
     "data: [DONE]\n\n"},
    {"/v1/completions", "\"text_completion\"", "\"completion_tokens\":", "\"text_completion\"",
     "data: [DONE]\n\n"},
    {"/v1/embeddings", "\"embedding\":[", "\"prompt_tokens\":", "", ""},
    {"/v1/responses", "\"output_text\"", "\"output_tokens\":", "event: response.created\n",
     "\"type\":\"response.completed\""},
    {"/v1/messages", "\"end_turn\"", "\"output_tokens\":", "event: message_start\n",
     "{\"type\":\"message_stop\"}\n\n"},
    {"/v1beta/models/gemini-9:generateContent", "\"modelVersion\":\"gemini-9\"",
     "\"candidatesTokenCount\":", "", ""},
    {"/api/chat", "\"done\":true", "\"eval_count\":", "\"done\":false}\n", "\"done\":true"},
};

ParameterizedTestParameters(mock_shapes, json)
{
  return cr_make_param_array(struct endpoint, endpoints, sizeof endpoints / sizeof *endpoints);
}

ParameterizedTestParameters(mock_shapes, stream)
{
  return cr_make_param_array(struct endpoint, endpoints, sizeof endpoints / sizeof *endpoints);
}

static struct run post(const char *target, const char *body)
{
  return run_plain(&w, "curl", "-sSN", "-d", body, world_url(&w, target), NULL);
}

ParameterizedTest(struct endpoint *endpoint, mock_shapes, json)
{
  struct run first = post(endpoint->path, "{\"model\":\"m\",\"stream\":false}");
  struct run again = post(endpoint->path, "{\"model\":\"m\",\"stream\":false}");
  json_t *json = json_loads(first.out, 0, NULL);

  expect_success(&first);
  cr_expect(json, "not JSON: %s", first.out);
  cr_expect(strstr(first.out, endpoint->text), "%s", first.out);
  cr_expect(strstr(first.out, endpoint->usage), "%s", first.out);
  cr_expect(strcmp(first.out, again.out), "two calls have the same answer");
  cr_expect_eq(mock_count(&w).served, 2);
  json_decref(json);
  run_release(&first);
  run_release(&again);
}

ParameterizedTest(struct endpoint *endpoint, mock_shapes, stream)
{
  struct run first = post(endpoint->path, "{\"model\":\"m\",\"stream\":true}");
  struct run again = post(endpoint->path, "{\"model\":\"m\",\"stream\":true}");
  char *end;

  expect_success(&first);
  if (*endpoint->first) {
    cr_expect(strstr(first.out, endpoint->first), "%s", first.out);
    end = strstr(first.out, endpoint->end);
    cr_assert(end, "no end: %s", first.out);
    cr_expect_null(strstr(end + 1, "\n{"), "something follows the end: %s", end);
    cr_expect_null(strstr(end + 1, "data:"), "something follows the end: %s", end);
  }
  cr_expect(strcmp(first.out, again.out), "two calls have the same answer");
  run_release(&first);
  run_release(&again);
}

Test(mock_shapes, a_gemini_stream_ends_with_its_finish_reason)
{
  struct run r = post("/v1beta/models/gemini-9:streamGenerateContent?alt=sse", "{}");
  char *end = strstr(r.out, "\"finishReason\":\"STOP\"");

  expect_success(&r);
  cr_assert(end, "%s", r.out);
  cr_expect_null(strstr(end, "data:"));
  run_release(&r);
}

Test(mock_shapes, usage_in_a_chat_stream_comes_when_asked_for)
{
  struct run without = post("/v1/chat/completions", "{\"stream\":true}");
  struct run with =
      post("/v1/chat/completions", "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}");

  cr_expect_null(strstr(without.out, "prompt_tokens"));
  cr_expect(strstr(with.out, "\"prompt_tokens\":"));
  run_release(&without);
  run_release(&with);
}

Test(mock_shapes, an_unknown_path_is_a_404_and_no_work)
{
  struct run r = run_plain(&w, "curl", "-sS", "-w", "%{http_code}", world_url(&w, "/v1/nothing"), NULL);

  cr_expect(strstr(r.out, "404"), "%s", r.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(mock_count(&w).served, 0);
  cr_expect_eq(mock_count(&w).work, 0);
  run_release(&r);
}

Test(mock_shapes, requests_are_kept_as_they_were_received)
{
  struct run r = run_plain(&w, "curl", "-sS", "-H", "X-Two: 1", "-H", "X-Two: 2", "-d", "{\"a\":1}",
                           world_url(&w, "/v1/completions?x=y"), NULL);
  json_t *requests = mock_requests(&w), *request = json_array_get(requests, 0);
  json_t *two = json_object_get(json_object_get(request, "headers"), "X-Two");

  cr_assert_eq(json_array_size(requests), 1);
  cr_expect_str_eq(json_string_value(json_object_get(request, "path")), "/v1/completions?x=y");
  cr_expect_str_eq(json_string_value(json_object_get(request, "body")), "{\"a\":1}");
  cr_expect_eq(json_array_size(two), 2);
  cr_expect_str_eq(mock_header(request, "x-two"), "1");
  json_decref(requests);
  run_release(&r);
}

Test(mock_shapes, connections_are_counted_once_each)
{
  const char *url = world_url(&w, "/v1/completions");
  struct run r = run_plain(&w, "curl", "-sS", "-d", "{}", url, url, url, NULL);
  struct mock_counts counts = mock_count(&w);

  expect_success(&r);
  cr_expect_eq(counts.requests, 3);
  cr_expect_eq(counts.served, 3);
  cr_expect_eq(counts.connections, 1);
  mock_reset(&w);
  cr_expect_eq(mock_count(&w).requests, 0);
  run_release(&r);
}

Test(mock_shapes, two_hundred_and_fifty_six_slow_calls_at_once_are_all_served)
{
  struct run r = run_shell_plain(
      &w, world_text(
              &w, "seq 256 | xargs -P 256 -I{} curl -sS -o /dev/null -H 'X-Mock: latency_ms=800' -d '{}' %s",
              world_url(&w, "/v1/completions")));
  struct mock_counts counts = mock_count(&w);

  expect_success(&r);
  cr_expect_eq(counts.requests, 256);
  cr_expect_eq(counts.served, 256);
  cr_expect_eq(counts.work, 256);
  run_release(&r);
}

Test(mock_shapes, over_tls_with_the_name_of_a_real_host)
{
  struct run r;

  world_close(&w);
  world_open(&w, WORLD_TLS);
  r = run_plain(&w, "curl", "-sS", "-d", "{}", "--connect-to",
                world_text(&w, "api.openai.com:443:127.0.0.1:%d", w.tls_port),
                "https://api.openai.com/v1/chat/completions", NULL);
  expect_success(&r);
  cr_expect(strstr(r.out, "chat.completion"), "%s", r.out);
  cr_expect_eq(mock_count(&w).served, 1);
  run_release(&r);
}
