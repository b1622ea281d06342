/* SPDX-License-Identifier: MIT */
#include "tests/mock/shape.h"

#include <string.h>

static json_t *usage(const struct question *q)
{
  return json_pack("{sIsIsIs{sisi}s{si}}", "prompt_tokens", q->input_tokens, "completion_tokens",
                   q->output_tokens, "total_tokens", q->input_tokens + q->output_tokens,
                   "prompt_tokens_details", "cached_tokens", 0, "audio_tokens", 0,
                   "completion_tokens_details", "reasoning_tokens", 0);
}

json_t *shape_openai_error(unsigned status, const char *id)
{
  static const struct {
    unsigned status;
    const char *type, *code, *message;
  } known[] = {
      {400, "invalid_request_error", "invalid_value", "Invalid value in the request."},
      {401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."},
      {404, "invalid_request_error", "unknown_url", "Unknown request URL."},
      {429, "requests", "rate_limit_exceeded", "Rate limit reached. Please try again in 1 s."},
      {0, "server_error", NULL, "The server had an error. Please try again."},
  };
  size_t i = 0;

  while (known[i].status && known[i].status != status)
    i++;
  return json_pack("{s{sssssnss?ss}}", "error", "message", known[i].message, "type", known[i].type, "param",
                   "code", known[i].code, "request_id", id);
}

static void error_event(const struct question *q, struct answer *answer)
{
  answer_event(answer, NULL, shape_openai_error(500, q->id));
}

/* Chat. */

static json_t *chat_whole(const struct question *q)
{
  return json_pack("{so ss sI ss s[{si s{ssss} sn ss}] so ss ss}", "id", json_sprintf("chatcmpl-%s", q->id),
                   "object", "chat.completion", "created", (json_int_t)q->now_s, "model", q->model, "choices",
                   "index", 0, "message", "role", "assistant", "content", q->text, "logprobs",
                   "finish_reason", "stop", "usage", usage(q), "service_tier", "default",
                   "system_fingerprint", "fp_mock");
}

static json_t *chat_chunk(const struct question *q, json_t *delta, const char *finish)
{
  return json_pack("{so ss sI ss ss s[{si so sn ss?}]}", "id", json_sprintf("chatcmpl-%s", q->id), "object",
                   "chat.completion.chunk", "created", (json_int_t)q->now_s, "model", q->model,
                   "system_fingerprint", "fp_mock", "choices", "index", 0, "delta", delta, "logprobs",
                   "finish_reason", finish);
}

static json_t *chat_usage_chunk(const struct question *q)
{
  return json_pack("{so ss sI ss s[] so}", "id", json_sprintf("chatcmpl-%s", q->id), "object",
                   "chat.completion.chunk", "created", (json_int_t)q->now_s, "model", q->model, "choices",
                   "usage", usage(q));
}

static void done(struct answer *answer)
{
  answer_bytes(answer, "data: [DONE]\n\n", strlen("data: [DONE]\n\n"));
}

static void chat_stream(const struct question *q, struct answer *answer)
{
  answer_event(answer, NULL, chat_chunk(q, json_pack("{ssss}", "role", "assistant", "content", ""), NULL));
  for (size_t i = 0; i < q->events; i++) {
    struct part part = shape_part(q, i);
    answer_event(answer, NULL, chat_chunk(q, json_pack("{ss#}", "content", part.text, part.len), NULL));
  }
  answer_end_mark(answer);
  answer_event(answer, NULL, chat_chunk(q, json_object(), "stop"));
  if (json_is_true(shape_asked(q, "stream_options", "include_usage", NULL)))
    answer_event(answer, NULL, chat_usage_chunk(q));
  done(answer);
}

const struct shape shape_openai_chat = {
    .path = "/v1/chat/completions",
    .stream_type = "text/event-stream; charset=utf-8",
    .id_header = "x-request-id",
    .streams = shape_asked_to_stream,
    .whole = chat_whole,
    .stream = chat_stream,
    .error = shape_openai_error,
    .error_event = error_event,
};

/* Completions. */

static json_t *completion(const struct question *q, struct part part, const char *finish)
{
  return json_pack("{so ss sI ss s[{ss# si sn ss?}]}", "id", json_sprintf("cmpl-%s", q->id), "object",
                   "text_completion", "created", (json_int_t)q->now_s, "model", q->model, "choices", "text",
                   part.text, part.len, "index", 0, "logprobs", "finish_reason", finish);
}

static json_t *completion_whole(const struct question *q)
{
  json_t *whole = completion(q, (struct part){q->text, (int)strlen(q->text)}, "stop");

  json_object_set_new(whole, "usage", usage(q));
  return whole;
}

static void completion_stream(const struct question *q, struct answer *answer)
{
  for (size_t i = 0; i < q->events; i++) {
    if (i + 1 == q->events)
      answer_end_mark(answer);
    answer_event(answer, NULL, completion(q, shape_part(q, i), i + 1 == q->events ? "stop" : NULL));
  }
  done(answer);
}

const struct shape shape_openai_completions = {
    .path = "/v1/completions",
    .stream_type = "text/event-stream; charset=utf-8",
    .id_header = "x-request-id",
    .streams = shape_asked_to_stream,
    .whole = completion_whole,
    .stream = completion_stream,
    .error = shape_openai_error,
    .error_event = error_event,
};

/* Embeddings. */

/* Eight numbers, more where the text is padded; the first one tells calls apart. */
static json_t *vector(const struct question *q)
{
  json_t *vector = json_array();
  size_t count = strlen(q->text) > 256 ? strlen(q->text) / 8 : 8;

  for (size_t i = 0; i < count; i++)
    json_array_append_new(vector, json_real(((double)q->serial + 0.125 * (double)i) / 4096));
  return vector;
}

static json_t *embeddings_whole(const struct question *q)
{
  const json_t *input = json_object_get(q->body, "input");
  size_t count = json_is_array(input) ? json_array_size(input) : 1;
  json_t *data = json_array();

  for (size_t i = 0; i < count; i++)
    json_array_append_new(
        data, json_pack("{sssIso}", "object", "embedding", "index", (json_int_t)i, "embedding", vector(q)));
  return json_pack("{sssossssso s{sIsI}}", "object", "list", "data", data, "model", q->model, "id", q->id,
                   "note", json_string(q->text), "usage", "prompt_tokens", q->input_tokens, "total_tokens",
                   q->input_tokens);
}

static bool never(const struct question *q)
{
  (void)q;
  return false;
}

const struct shape shape_openai_embeddings = {
    .path = "/v1/embeddings",
    .id_header = "x-request-id",
    .streams = never,
    .whole = embeddings_whole,
    .error = shape_openai_error,
};
