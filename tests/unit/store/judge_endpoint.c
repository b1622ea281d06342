/* SPDX-License-Identifier: MIT */
/* What an answer is depends on the endpoint that was asked. */
#include "tests/unit/store/answer_fixture.h"

#include <criterion/criterion.h>

/* Where an answer is an object or a list with something in it, or a stream, nothing else is one. */
Test(store_answers, what_is_no_json_is_no_answer_of_an_endpoint_that_speaks_it)
{
  static const struct answer_sample samples[] = {
      {OK("application/json"), "{}"},
      {OK("application/json"), " { }\n"},
      {OK("application/json"), "[]"},
      {OK("application/json"), "null"},
      {OK("application/json"), "\"\""},
      {OK("application/json"), "17"},
      {OK("text/plain"), "502 Bad Gateway\n"},
      {OK("text/plain"), "{}"},
      {OK("text/html; charset=utf-8"), "<html><body>502 Bad Gateway</body></html>"},
      {OK("application/xml"), "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>"},
      {"HTTP/1.1 200 OK\r\n\r\n", "upstream connect error or disconnect/reset before headers"},
  };
  static const char *const paths[] = {
      "/v1/chat/completions", "/gateway/openai/v1/responses",      "/v1/messages",
      "/v1/embeddings",       "/openai/deployments/d/completions", "/v1beta/models/m:streamGenerateContent",
      "/model/m/invoke"};
  static const char *const others[] = {"/v1/ask", "/api/chat", "/api/messages"};
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct idem_error why;

    for (size_t j = 0; j < sizeof(paths) / sizeof(*paths); j++)
      cr_expect(!answer_accepted(paths[j], NULL, &samples[i], &why), "%s: %s", paths[j], samples[i].body);
    for (size_t j = 0; j < sizeof(others) / sizeof(*others); j++)
      cr_expect(answer_accepted(others[j], NULL, &samples[i], &why), "%s: %s: %s", others[j], samples[i].body,
                why.text);
  }
}

/* Bytes that no text is, and JSON under any type. */
Test(store_answers, what_such_an_endpoint_may_send_is_an_answer)
{
  static const struct answer_sample samples[] = {
      {OK("application/octet-stream"), "\x01\x02"},
      {OK("audio/mpeg"), "\xff\xfb\x90"},
      {OK("text/plain"), "{\"choices\":[{}]}"},
      {OK("text/html"), "data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n"},
      {OK("application/json"), "[[0.5]]"},
  };
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct idem_error why;

    cr_expect(answer_accepted("/v1/embeddings", NULL, &samples[i], &why), "%s: %s", samples[i].body,
              why.text);
  }
}

/* What else is asked for says what is no answer there. */
Test(store_answers, each_endpoint_has_answers_of_its_own)
{
  static const struct {
    const char *path;
    struct answer_sample answer;
    bool accepted;
  } samples[] = {
      {"/v1/audio/speech", {OK("audio/mpeg"), "ID3"}, true},
      {"/v1/audio/speech", {"HTTP/1.1 200 OK\r\n\r\n", "ID3"}, true},
      {"/v1/audio/speech", {OK("audio/pcm"), "{\x01\x02"}, true},
      {"/v1/audio/speech", {OK("application/json"), "{\"audio\":\"AAAA\"}"}, true},
      {"/v1/audio/speech", {EVENTS, "data: {\"type\":\"speech.audio.done\"}\n\n"}, true},
      {"/v1/audio/speech", {OK("audio/mpeg"), ""}, false},
      {"/v1/audio/speech", {OK("text/plain"), "upstream connect error"}, false},
      {"/v1/audio/speech", {OK("application/xml"), "<?xml version=\"1.0\"?><Error/>"}, false},
      {"/v1/audio/speech", {OK("application/json"), "{}"}, false},
      {"/v1/audio/transcriptions", {OK("text/plain"), ""}, true},
      {"/v1/audio/transcriptions", {OK("text/plain"), "Hello"}, true},
      {"/v1/audio/transcriptions", {OK("application/json"), "{\"text\":\"\"}"}, true},
      {"/v1/audio/transcriptions", {OK("text/html"), "<!doctype html><html>Sign in</html>"}, false},
      {"/v1/images/edits", {OK("application/json"), "{\"data\":[{}]}"}, true},
      {"/v1/images/edits", {OK("text/html"), "<!doctype html><html>Sign in</html>"}, false},
      {"/v1beta/models/m:generateContent",
       {OK("application/json"), "{\"usageMetadata\":{\"promptTokenCount\":1}}"},
       false},
      {"/v1beta/models/m:generateContent",
       {OK("application/json"), "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}"},
       true},
      {"/v1beta/models/m:streamGenerateContent",
       {OK("application/json"), "[{\"candidates\":[{\"content\":1}]}]"},
       false},
      {"/v1beta/models/m:streamGenerateContent",
       {OK("application/json"),
        "[{\"candidates\":[{\"content\":1}]},{\"candidates\":[{\"finishReason\":\"STOP\"}]},{"
        "\"usageMetadata\":{}}]"},
       true},
      {"/own", {OK("application/json"), "[{\"candidates\":[{\"content\":1}]}]"}, true},
      {"/own", {OK("application/json"), "{\"usageMetadata\":{\"promptTokenCount\":1}}"}, true},
  };
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct idem_error why;

    cr_expect_eq(answer_accepted(samples[i].path, NULL, &samples[i].answer, &why), samples[i].accepted,
                 "%s: %s: %s", samples[i].path, samples[i].answer.body, why.text);
  }
}

/* On the endpoint of a provider it is known what stands where. */
Test(store_answers, a_completion_of_a_provider_has_choices)
{
  static const struct {
    const char *path;
    struct answer_sample answer;
    bool accepted;
  } samples[] = {
      {"/v1/chat/completions", {JSON_HEADERS, "{\"id\":\"a\",\"model\":\"m\"}"}, false},
      {"/v1/chat/completions", {JSON_HEADERS, "{\"id\":\"a\",\"choices\":[{}]}"}, true},
      {"/v1/chat/completions", {JSON_HEADERS, "{\"success\":true,\"result\":{\"response\":\"a\"}}"}, true},
      {"/v1/embeddings", {JSON_HEADERS, "{\"id\":\"a\",\"model\":\"m\"}"}, true},
  };
  struct idem_rule built_in = *fixture.config.rules;

  built_in.name = "OpenAI";
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct idem_error why;

    cr_expect_eq(answer_accepted(samples[i].path, &built_in, &samples[i].answer, &why), samples[i].accepted,
                 "%s: %s", samples[i].answer.body, why.text);
    cr_expect(answer_accepted(samples[i].path, NULL, &samples[i].answer, &why), "%s: %s",
              samples[i].answer.body, why.text);
  }
}
