/* SPDX-License-Identifier: MIT */
/* Every row of config/answers.def: a whole answer and a whole stream are paid for once, a failure within a
 * 200 is never told again. And what is said of an answer that cannot be stored. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(answers, .init = open_world, .fini = close_world);

/* What each row of the table is in tests/mock/rows.c: one shape or more. */
static const char *const rows[][3] = {
    {"OpenAI", "chat", "openai-chat"},
    {"OpenAI", "completions", "openai-completions"},
    {"OpenAI", "responses", "openai-responses"},
    {"OpenAI", "images", "openai-images"},
    {"OpenAI", "speech", "openai-speech"},
    {"OpenAI", "embeddings, moderations", "openai-embeddings"},
    {"Anthropic", "messages", "anthropic-messages"},
    {"Anthropic", "complete", "anthropic-complete"},
    {"Azure OpenAI", "chat", "openai-chat"},
    {"Azure OpenAI", "responses", "openai-responses"},
    {"Google Gemini", "generateContent", "gemini gemini-array"},
    {"Google Vertex AI", "generateContent", "gemini gemini-array"},
    {"Google Vertex AI", "rawPredict (Claude)", "anthropic-messages"},
    {"Mistral", "chat, fim, agents, transcriptions", "openai-chat mistral-agents"},
    {"Cohere", "v2 chat", "cohere-v2"},
    {"Cohere", "v1 chat", "cohere-v1"},
    {"Groq", "chat", "openai-chat"},
    {"Together", "chat", "openai-chat"},
    {"DeepSeek", "chat", "openai-chat"},
    {"OpenRouter", "chat", "openai-chat"},
    {"xAI", "chat, responses", "openai-chat openai-responses"},
    {"Amazon Bedrock", "converse", "bedrock"},
    {"Amazon Bedrock", "invoke", "bedrock-invoke"},
    {"Perplexity", "chat", "perplexity"},
    {"Fireworks", "chat", "openai-chat"},
    {"Ollama", "chat, generate", "ollama"},
    {"vLLM", "chat", "openai-chat"},
};

Test(answers, each_row_of_the_table_has_its_shape)
{
  static const char *const table[][2] = {
#define ANSWER(provider, shape, ...) {provider, shape},
#include "config/answers.def"
#undef ANSWER
  };
  size_t count = sizeof(table) / sizeof(*table);
  cr_assert_eq(count, sizeof(rows) / sizeof(*rows));
  for (size_t i = 0; i < count; i++) {
    cr_expect_str_eq(table[i][0], rows[i][0]);
    cr_expect_str_eq(table[i][1], rows[i][1]);
  }
}

/* How many of two equal calls upstream saw. */
static unsigned sent_of_two(const char *shape, const char *which)
{
  unsigned before = (unsigned)mock_count(&w).requests;
  char out[4096] = "";
  for (int i = 0; i < 2; i++) {
    const char *argv[] = {"curl",
                          "-sS",
                          "-H",
                          "Content-Type: application/json",
                          "-H",
                          world_text(&w, "X-Mock: row=%s,case=%s", shape, which),
                          "-d",
                          "{\"model\":\"m\"}",
                          world_url(&w, "/v1/any"),
                          NULL};
    struct run r = run_argv(&w, true, argv);
    cr_expect_eq(r.status, 0, "%s %s: %s", shape, which, r.err);
    if (i == 0)
      snprintf(out, sizeof(out), "%s", r.out);
    run_release(&r);
  }
  return (unsigned)mock_count(&w).requests - before;
}

ParameterizedTestParameters(answers, success_is_told_again_and_failure_is_not)
{
  static char shapes[2 * sizeof(rows) / sizeof(*rows)][32];
  size_t count = 0;
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
    for (const char *name = rows[i][2]; *name; name += strcspn(name, " "), name += *name == ' ') {
      snprintf(shapes[count], sizeof(shapes[0]), "%.*s", (int)strcspn(name, " "), name);
      bool known = false;
      for (size_t j = 0; j < count; j++)
        known |= strcmp(shapes[j], shapes[count]) == 0;
      count += !known;
    }
  return cr_make_param_array(char[32], shapes, count);
}

ParameterizedTest(char (*shape)[32], answers, success_is_told_again_and_failure_is_not)
{
  char fail[16];
  cr_expect_eq(sent_of_two(*shape, "whole"), 1, "%s: a whole answer", *shape);
  if (strcmp(*shape, "openai-embeddings") != 0)
    cr_expect_eq(sent_of_two(*shape, "stream"), 1, "%s: a whole stream", *shape);
  bool has_six = strstr(
      "openai-chat openai-completions openai-responses gemini perplexity ollama bedrock bedrock-invoke",
      *shape);
  for (int i = 1; i <= 5 + has_six; i++) {
    snprintf(fail, sizeof(fail), "fail%d", i);
    cr_expect_eq(sent_of_two(*shape, fail), 2, "%s: %s", *shape, fail);
  }
}

/* What gateways and servers of one's own send under the type of a document. */
Test(answers, a_success_and_a_failure_of_those_between_are_told_apart)
{
  cr_expect_eq(sent_of_two("gateway", "whole"), 1);
  cr_expect_eq(sent_of_two("gateway", "stream"), 1);
  for (int i = 1; i <= 6; i++)
    cr_expect_eq(sent_of_two("gateway", world_text(&w, "fail%d", i)), 2, "fail%d", i);
}

/* How many of two equal calls upstream saw, where it answers with this body. `path` leads to /wire/NAME. */
static unsigned sent_of_two_for(const char *path, const char *type, const char *body)
{
  const char *name = strrchr(path, '/') + 1;
  const char *response = world_text(
      &w, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", type, strlen(body), body);
  unsigned before = (unsigned)mock_count(&w).requests;
  mock_lay(&w, name, response, strlen(response));
  for (int i = 0; i < 2; i++) {
    /* Each body has an operation of its own. */
    const char *argv[] = {
        "curl", "-sS", "-d", world_text(&w, "{\"model\":\"%u\"}", before), world_url(&w, path), NULL};
    struct run r = run_argv(&w, true, argv);
    expect_same_bytes(path, body, strlen(body), r.out, r.out_len);
    run_release(&r);
  }
  return (unsigned)mock_count(&w).requests - before;
}

/* JSON has no order, so a failure is one in any. */
Test(answers, a_failure_is_one_in_any_order_of_its_members)
{
  static const char *const bodies[][2] = {
      {"application/json", "{\"code\":17,\"task_id\":\"a\",\"status\":\"success\"}"},
      {"application/json", "{\"status\":\"success\",\"task_id\":\"a\",\"code\":17}"},
      {"text/event-stream", "data: {\"event_type\":\"error\",\"type\":\"x\"}\n\ndata: [DONE]\n\n"},
      {"text/event-stream", "data: {\"type\":\"x\",\"event_type\":\"error\"}\n\ndata: [DONE]\n\n"},
      {"application/json", "{\"workflow_run_id\":\"w\",\"data\":{\"status\":\"failed\",\"outputs\":{}}}"},
      {"application/json", "{\"data\":{\"outputs\":{},\"status\":\"failed\"},\"workflow_run_id\":\"w\"}"},
      {"application/json", "{\"success\":false,\"result\":{\"a\":1},\"errors\":[{\"code\":1000}]}"},
      {"application/json", "{\"errors\":[{\"code\":1000}],\"result\":{\"a\":1},\"success\":false}"}};
  for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
    cr_expect_eq(sent_of_two_for("/wire/a", bodies[i][0], bodies[i][1]), 2, "%s", bodies[i][1]);
}

/* A proxy's page or an empty object in the place of an answer; of an API of somebody's
 * own either may be one. */
Test(answers, a_model_s_endpoint_answers_with_something_or_not_at_all)
{
  static const char *const bodies[][2] = {{"application/json", "{}"},
                                          {"application/json", "null"},
                                          {"text/html", "<html><body>502 Bad Gateway</body></html>"},
                                          {"text/plain", "502 Bad Gateway"}};
  for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
    cr_expect_eq(sent_of_two_for("/v1beta/models/wire/m:generateContent", bodies[i][0], bodies[i][1]), 2,
                 "%s", bodies[i][1]);
    cr_expect_eq(sent_of_two_for("/own/wire/ask", bodies[i][0], bodies[i][1]), 1, "%s", bodies[i][1]);
  }
  cr_expect_eq(sent_of_two_for("/v1beta/models/wire/m:streamGenerateContent", "text/event-stream",
                               "data: {\"choices\":[]}\n\ndata: [DONE]\n\n"),
               2);
  cr_expect_eq(sent_of_two_for("/v1beta/models/wire/m:generateContent", "application/json",
                               "{\"usageMetadata\":{\"promptTokenCount\":1}}"),
               2);
}

/* A gateway writes [DONE] behind whatever it has got, and llama.cpp fails in a field that is none. */
Test(answers, what_a_gateway_writes_behind_half_an_answer_is_no_end_of_it)
{
#define HALF "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n"
#define REST "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE "data: [DONE]\n\n"
  static const struct {
    const char *body;
    unsigned sent;
  } streams[] = {
      {HALF REST DONE, 1},
      {HALF DONE, 2},
      {HALF "error: {\"code\":500,\"message\":\"context shift is disabled\"}\n\n" REST DONE, 2},
      {HALF REST "{\"error\":{\"message\":\"died\"}}\n\n" DONE, 2},
      {"event: message_start\ndata: {\"type\":\"message_start\"}\n\n" DONE, 2},
      {"data: {\"token\":\"hello\"}\n\nevent: end\n\n", 1},
  };
  for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++)
    cr_expect_eq(sent_of_two_for("/wire/a", "text/event-stream", streams[i].body), streams[i].sent, "%s",
                 streams[i].body);
}

/* "none" is no coding, and two are not undone. */
Test(answers, a_failure_under_a_coding_that_is_none_is_not_told_again)
{
#define IN(coding) "application/json\r\nContent-Encoding: " coding
  static const char error[] = "{\"error\":{\"message\":\"overloaded\"}}";
  cr_expect_eq(sent_of_two_for("/wire/a", IN("none"), error), 2);
  cr_expect_eq(sent_of_two_for("/wire/a", IN("utf-8"), error), 2);
  cr_expect_eq(sent_of_two_for("/wire/a", IN("gzip, gzip"), "\x1f\x8b"), 2);
  cr_expect_eq(sent_of_two_for("/wire/a", IN("none"), "{\"answer\":1}"), 1);
}

/* A coding that is none, and a length that the app does not go by: nothing tells that the body is whole. */
Test(answers, a_body_that_may_have_been_cut_off_is_not_told_again)
{
#define AUDIO "HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nConnection: close\r\n"
  static const struct {
    const char *response, *option;
    unsigned sent;
  } cuts[] = {
      {AUDIO "Transfer-Encoding: identity\r\n\r\nID3half", "-sS", 2},
      {AUDIO "Content-Length: 1000\r\n\r\nID3half", "--ignore-content-length", 2},
      {AUDIO "Content-Length: 7\r\n\r\nID3half", "--ignore-content-length", 1},
      {AUDIO "Transfer-Encoding: chunked\r\n\r\n7\r\nID3half\r\n0\r\n\r\n", "-sS", 1},
  };
  for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
    unsigned before = (unsigned)mock_count(&w).requests;
    mock_lay(&w, "a", cuts[i].response, strlen(cuts[i].response));
    for (int j = 0; j < 2; j++) {
      const char *argv[] = {"curl",
                            "-sS",
                            cuts[i].option,
                            "-d",
                            world_text(&w, "{\"model\":\"%zu\"}", i),
                            world_url(&w, "/wire/a"),
                            NULL};
      struct run r = run_argv(&w, true, argv);
      expect_same_bytes("/wire/a", "ID3half", 7, r.out, r.out_len);
      run_release(&r);
    }
    cr_expect_eq((unsigned)mock_count(&w).requests - before, cuts[i].sent, "%s", cuts[i].response);
  }
}

/* Two calls in one process. */
static struct run twice(const char *mock, const char *path)
{
  const char *argv[] = {"curl",
                        "-sS",
                        "-H",
                        world_text(&w, "X-Mock: %s", mock),
                        "-d",
                        "{\"stream\":true}",
                        world_url(&w, path),
                        world_url(&w, path),
                        NULL};
  return run_argv(&w, true, argv);
}

Test(answers, what_will_be_paid_for_again_is_said_once)
{
  struct run r = twice("truncate=1", "/v1/chat/completions");
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(count_of(r.err, "is not stored, and each repeat is paid for again: the stream has no end"), 1,
               "%s", r.err);
  run_release(&r);
  r = twice("error_event=1", "/v1/chat/completions");
  cr_expect_str_empty(r.err, "%s", r.err);
  run_release(&r);
}

Test(answers, what_is_too_large_is_said_once)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=1M,1k");
  struct run r = twice("size=4000", "/v1/chat/completions");
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(count_of(r.err, "paid for again: it is larger than max_body="), 1, "%s", r.err);
  run_release(&r);
}

Test(answers, a_path_that_looks_stateful_is_sent_each_time_until_a_rule_names_it)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1");
  struct run r = twice("row=openai-chat,case=whole", "/v1/threads/t/runs");
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(count_of(r.err, "a rule stores it: host=127.0.0.1 path=/v1/threads/t/runs"), 1, "%s", r.err);
  run_release(&r);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 path=/v1/threads/*/runs");
  r = twice("row=openai-chat,case=whole", "/v1/threads/t/runs");
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect_str_empty(r.err, "%s", r.err);
  run_release(&r);
}

/* Sends one call with this header. */
static struct run with(const char *header)
{
  const char *argv[] = {"curl", "-sS", "-H", header, "-d", "{}", world_url(&w, "/v1/chat/completions"), NULL};
  return run_argv(&w, true, argv);
}

Test(answers, a_request_may_ask_not_to_be_kept)
{
  struct run r = with("Cache-Control: no-store");
  cr_expect_eq(count_of(r.err, "Cache-Control: no-store"), 1, "%s", r.err);
  run_release(&r);
  r = with("Cache-Control: no-store");
  run_release(&r);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "stored"), 0);
  r = with("Pragma: no-cache");
  run_release(&r);
  r = with("Pragma: no-cache");
  run_release(&r);
  cr_expect_eq(mock_count(&w).requests, 3);
  r = with("Cache-Control: no-cache");
  run_release(&r);
  cr_expect_eq(mock_count(&w).requests, 4, "an app has got the answer");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ignore_cache_control=on");
  r = with("Cache-Control: no-store, no-cache");
  cr_expect_str_empty(r.err, "%s", r.err);
  run_release(&r);
  cr_expect_eq(mock_count(&w).requests, 4);
}

Test(answers, access_says_whether_the_store_is_read_or_written)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 access=read");
  struct run r = with("X-A: 1");
  run_release(&r);
  cr_expect_eq(log_events(&w, "stored"), 0);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 access=write");
  for (int i = 0; i < 2; i++) {
    r = with("X-A: 1");
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect_eq(log_events(&w, "stored"), 2);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 access=read");
  r = with("X-A: 1");
  run_release(&r);
  cr_expect_eq(mock_count(&w).requests, 3);
}

/* By both ways of delivery. */
Test(answers, marks_are_ours_in_a_replay)
{
  static const char *const ways[] = {"auto", "transport"};
  const char *argv[] = {"curl",
                        "-sSi",
                        "-w",
                        "%{size_header}",
                        "-H",
                        "X-Mock: marks=1",
                        "-d",
                        "{}",
                        world_url(&w, "/v1/chat/completions"),
                        NULL};
  struct run r = run_argv(&w, true, argv);
  cr_expect(strstr(r.out, "X-From-Cache: upstream\r\n"), "%s", r.out);
  cr_expect_eq(log_events(&w, "upstream_mark"), 1);
  run_release(&r);
  for (int i = 0; i < 2; i++) {
    world_env(&w, "IDEMSHIM_DELIVERY", "%s", ways[i]);
    r = run_argv(&w, true, argv);
    cr_expect_null(strstr(r.out, "upstream\r\n"), "%s: %s", ways[i], r.out);
    cr_expect_eq(count_of(r.out, "X-From-Cache: true\r\n"), 1, "%s: %s", ways[i], r.out);
    cr_expect_eq(count_of(r.out, "X-Idempotency-Replayed: true\r\n"), 1, "%s: %s", ways[i], r.out);
    const char *blank = strstr(r.out, "\r\n\r\n");
    cr_assert_not_null(blank);
    cr_expect_eq(atol(strrchr(r.out, '}') + 1), blank + 4 - r.out, "%s: %s", ways[i], r.out);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(log_events(&w, "upstream_mark"), 1);
}

/* A queued reply is shared by those who asked at the same time, and by nobody later. */
Test(answers, a_job_is_joined_in_flight_and_never_told_again)
{
  const char *url = world_url(&w, "/v1/responses");
  const char *mock = "X-Mock: row=openai-responses,case=fail2,latency_ms=1500";
  struct run r =
      run_shell(&w, world_text(&w, "for i in 1 2 3; do curl -sS -H '%s' -d '{}' %s & done; wait", mock, url));
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(count_of(r.out, "\"status\":\"queued\""), 3, "%s%s", r.out, r.err);
  cr_expect_eq(count_of(r.out, "\"id\":\"r-1\""), 3, "%s", r.out);
  run_release(&r);
  r = run_shell(&w, world_text(&w, "curl -sS -H '%s' -d '{}' %s", mock, url));
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "stored") + log_events(&w, "expired"), 0);
  cr_expect_eq(log_events(&w, "join"), 2);
  run_release(&r);
}

/* docs/answers.md, what a hit means: each of these is asked for twice, and they are as many operations. */
static void expect_operations(const char *const *bodies, unsigned count)
{
  for (unsigned i = 0; i < 2 * count; i++) {
    const char *url = world_url(&w, "/v1/chat/completions");
    const char *argv[] = {"curl", "-sS",         "-H", "Content-Type: application/json",
                          "-d",   bodies[i / 2], url,  NULL};
    struct run r = run_argv(&w, true, argv);
    expect_success(&r);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, count);
  cr_expect_eq(log_events(&w, "hit"), (int)count);
}

Test(answers, a_call_of_any_temperature_is_answered_again)
{
  static const char *const bodies[] = {"{\"model\":\"m\"}", "{\"model\":\"m\",\"temperature\":0}",
                                       "{\"model\":\"m\",\"temperature\":0.7}"};
  expect_operations(bodies, 3);
}

Test(answers, n_and_seed_are_parts_of_the_content)
{
  static const char *const bodies[] = {"{\"model\":\"m\",\"n\":1}", "{\"model\":\"m\",\"n\":2}",
                                       "{\"model\":\"m\",\"seed\":1}", "{\"model\":\"m\",\"seed\":2}"};
  expect_operations(bodies, 4);
}

/* Stored as it came, for the program undoes the coding: here libcurl is not asked to. */
Test(answers, a_stream_in_a_coding_of_the_program_s_own)
{
#define BYTES(text) text, sizeof(text) - 1
  static const struct {
    const char *coding, *bytes;
    size_t len;
  } streams[] = {
      {"gzip", BYTES("\037\213\010\000\000\000\000\000\002\377\113\111\054\111\264\122\250\126\112\316"
                     "\310\317\114\116\055\126\262\212\256\126\312\314\113\111\255\120\262\062\250\215"
                     "\325\121\052\055\116\114\117\125\262\252\126\052\050\312\317\055\050\211\057\311"
                     "\317\116\315\003\052\063\256\255\345\342\112\001\153\216\166\361\367\163\215\345"
                     "\342\002\000\221\264\373\320\113\000\000\000")},
      {"br", BYTES("\023\112\000\000\304\362\326\277\044\273\054\330\264\313\124\326\177\046\044\143"
                   "\150\277\007\207\034\070\234\070\012\263\226\133\260\061\166\256\106\320\214\043"
                   "\213\030\014\313\063\250\006\111\202\311\107\104\352\007\032\316\335\353\374\131"
                   "\375\074\060\273\213\000\112\113\157\165\210\000")},
      {"zstd", BYTES("\050\265\057\375\040\113\131\002\000\144\141\164\141\072\040\173\042\143\150\157"
                     "\151\143\145\163\042\072\133\173\042\151\156\144\145\170\042\072\060\175\135\054"
                     "\042\165\163\141\147\145\042\072\173\042\160\162\157\155\160\164\137\164\157\153"
                     "\145\156\163\042\072\063\175\175\012\012\144\141\164\141\072\040\133\104\117\116"
                     "\105\135\012\012")},
  };
  for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
    char response[512];
    int head = snprintf(response, sizeof(response),
                        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: %s\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        streams[i].coding, streams[i].len);
    memcpy(response + head, streams[i].bytes, streams[i].len);
    mock_lay(&w, world_text(&w, "%s?exact=1", streams[i].coding), response, (size_t)head + streams[i].len);
    for (int again = 0; again < 2; again++) {
      const char *argv[] = {"curl",
                            "-sS",
                            "-H",
                            world_text(&w, "Accept-Encoding: %s", streams[i].coding),
                            "-d",
                            "{}",
                            world_url(&w, world_text(&w, "/wire/%s", streams[i].coding)),
                            NULL};
      struct run r = run_argv(&w, true, argv);
      expect_same_bytes(streams[i].coding, streams[i].bytes, streams[i].len, r.out, r.out_len);
      run_release(&r);
    }
    cr_expect_eq(log_events(&w, "hit"), (int)i + 1, "%s", streams[i].coding);
  }
}
