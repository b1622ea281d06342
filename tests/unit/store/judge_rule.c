/* SPDX-License-Identifier: MIT */
/* What a rule says of answers, and the tokens that they tell. */
#include "tests/unit/store/answer_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(store_answers, what_may_not_be_kept_is_not)
{
  struct idem_chunk chunk;
  struct idem_recording token = recording_of(
      &chunk, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: private, No-Store\r\n\r\n",
      "{\"access_token\":\"t\"}");
  cr_expect_eq(answer_commit(&token), IDEM_REFUSED);
  fixture_rule(&fixture, "ignore_cache_control=on");
  cr_expect_eq(answer_commit(&token), IDEM_STORED);
}

Test(store_answers, a_202_is_a_job_unless_the_rule_names_it)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, "HTTP/1.1 202 Accepted\r\n\r\n", "ok");
  recording.status = 202;
  cr_expect_eq(answer_commit(&recording), IDEM_REFUSED);
  fixture_rule(&fixture, "status=200,202");
  cr_expect_eq(answer_commit(&recording), IDEM_STORED);
}

Test(store_answers, what_was_cut_short_is_kept_unless_the_rule_minds)
{
  static const struct answer_sample samples[] = {
      {OK("application/json"),
       "{\"choices\":[{\"finish_reason\":\"length\"},{\"finish_reason\":\"length\"}]}"},
      {OK("application/json"), "{\"content\":[{}],\"stop_reason\":\"max_tokens\"}"},
      {OK("application/json"), "{\"candidates\":[{\"finishReason\":\"MAX_TOKENS\"}]}"},
      {OK("application/json"), "{\"status\":\"incomplete\",\"output\":[{}]}"},
      {OK("application/json"), "{\"done_reason\":\"length\",\"done\":true,\"response\":\"a\"}"},
      {EVENTS, "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\n"
               "data: {\"type\":\"message_stop\"}\n\n"},
      {EVENTS, "data: {\"type\":\"response.incomplete\",\"response\":{\"status\":\"incomplete\"}}\n\n"},
      {OK("application/json"), "{\"content\":[{}],\"stop_reason\":\"model_context_window_exceeded\"}"},
      {OK("application/json"), "{\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"status\":"
                               "\"incomplete\",\"output\":[{}]}"},
  };
  static const struct answer_sample others[] = {
      {OK("application/json"), "{\"choices\":[{\"finish_reason\":\"length\"},{\"finish_reason\":\"stop\"}]}"},
      {OK("application/json"), "{\"choices\":[{}]}"},
      {OK("application/json"),
       "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"},\"output\":[{}]}"},
  };
  ALL_ARE(samples, IDEM_STORED);
  fixture_rule(&fixture, "truncated=live");
  ALL_ARE(samples, IDEM_REFUSED);
  ALL_ARE(others, IDEM_STORED);
}

Test(store_answers, the_rule_says_which_status_is_an_answer)
{
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, "HTTP/1.1 404 Not Found\r\n\r\n", "no");
  recording.status = 404;
  cr_expect_eq(answer_commit(&recording), IDEM_REFUSED);
  fixture_rule(&fixture, "status=200,404");
  cr_expect_eq(answer_commit(&recording), IDEM_STORED);
}

Test(store_answers, larger_than_max_body_is_refused)
{
  fixture_rule(&fixture, "max_body=10");
  cr_expect_eq(answer_stored(OK("text/plain"), "0123456789"), IDEM_STORED);
  cr_expect_eq(answer_stored(OK("text/plain"), "0123456789a"), IDEM_REFUSED);
}

Test(store_answers, tokens_are_read_in_every_providers_words)
{
  static const struct {
    const char *headers, *body;
    int64_t input, output;
  } samples[] = {
      {OK("application/json"), "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}", 1, 2},
      {OK("application/json"), "{\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}", 7, -1},
      {OK("application/json"),
       "{\"usage\":{\"input_tokens\":1,\"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":100,"
       "\"output_tokens\":2}}",
       111, 2},
      {OK("application/json"),
       "{\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":2,\"thoughtsTokenCount\":30}}", 1,
       32},
      {OK("application/json"), "{\"prompt_eval_count\":1,\"eval_count\":2}", 1, 2},
      {OK("application/json"), "{\"usage\":{\"inputTokens\":1,\"outputTokens\":2}}", 1, 2},
      {OK("application/json"), "{\"meta\":{\"tokens\":{\"input_tokens\":1,\"output_tokens\":2}}}", 1, 2},
      /* OpenAI's count has the cached tokens in it, whatever a gateway says beside it; Bedrock's has not. */
      {OK("application/json"),
       "{\"usage\":{\"prompt_tokens\":100,\"cache_read_input_tokens\":90,\"prompt_tokens_details\":{"
       "\"cached_tokens\":90},\"completion_tokens\":2}}",
       100, 2},
      {OK("application/json"),
       "{\"usage\":{\"input_tokens\":100,\"input_tokens_details\":{\"cached_tokens\":90},\"output_tokens\":2}"
       "}",
       100, 2},
      {OK("application/json"),
       "{\"usage\":{\"inputTokens\":1,\"cacheReadInputTokens\":10,\"cacheWriteInputTokens\":100,"
       "\"outputTokens\":2}}",
       111, 2},
      {OK("application/json"), "{\"a\":1}", -1, -1},
      {EVENTS,
       "data: {\"usage\":null}\n\ndata: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: "
       "[DONE]\n\n",
       1, 2},
      {EVENTS,
       "data: "
       "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n"
       "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":9}}\n\ndata: "
       "{\"type\":\"message_stop\"}\n\n",
       5, 9},
      {EVENTS,
       "data: "
       "{\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}"
       "\n\n",
       3, 4},
      {LINES, "{\"done\":true,\"prompt_eval_count\":3,\"eval_count\":4}\n", 3, 4},
  };
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    cr_assert_eq(answer_stored(samples[i].headers, samples[i].body), IDEM_STORED, "%s", samples[i].body);
    cr_expect_eq(answer_usage.input, samples[i].input, "%s: %ld", samples[i].body, answer_usage.input);
    cr_expect_eq(answer_usage.output, samples[i].output, "%s: %ld", samples[i].body, answer_usage.output);
  }
}
