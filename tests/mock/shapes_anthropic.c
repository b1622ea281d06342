/* SPDX-License-Identifier: MIT */
#include "tests/mock/shape.h"

static json_t *usage(const struct question *q, json_int_t output_tokens)
{
  return json_pack("{sIsisisI}", "input_tokens", q->input_tokens, "cache_creation_input_tokens", 0,
                   "cache_read_input_tokens", 0, "output_tokens", output_tokens);
}

static json_t *message(const struct question *q, json_t *content, const char *stop, json_int_t output_tokens)
{
  return json_pack("{so ss ss ss so ss? sn so}", "id", json_sprintf("msg_%s", q->id), "type", "message",
                   "role", "assistant", "model", q->model, "content", content, "stop_reason", stop,
                   "stop_sequence", "usage", usage(q, output_tokens));
}

static json_t *whole(const struct question *q)
{
  return message(q, json_pack("[{ssss}]", "type", "text", "text", q->text), "end_turn", q->output_tokens);
}

static json_t *delta(struct part part)
{
  return json_pack("{sssis{ssss#}}", "type", "content_block_delta", "index", 0, "delta", "type", "text_delta",
                   "text", part.text, part.len);
}

static void stream(const struct question *q, struct answer *answer)
{
  answer_event(answer, "message_start",
               json_pack("{ssso}", "type", "message_start", "message", message(q, json_array(), NULL, 1)));
  answer_event(answer, "content_block_start",
               json_pack("{sssis{ssss}}", "type", "content_block_start", "index", 0, "content_block", "type",
                         "text", "text", ""));
  answer_event(answer, "ping", json_pack("{ss}", "type", "ping"));
  for (size_t i = 0; i < q->events; i++)
    answer_event(answer, "content_block_delta", delta(shape_part(q, i)));
  answer_event(answer, "content_block_stop", json_pack("{sssi}", "type", "content_block_stop", "index", 0));
  answer_event(answer, "message_delta",
               json_pack("{ss s{sssn} s{sI}}", "type", "message_delta", "delta", "stop_reason", "end_turn",
                         "stop_sequence", "usage", "output_tokens", q->output_tokens));
  answer_end_mark(answer);
  answer_event(answer, "message_stop", json_pack("{ss}", "type", "message_stop"));
}

static json_t *error(unsigned status, const char *id)
{
  static const struct {
    unsigned status;
    const char *type, *message;
  } known[] = {
      {400, "invalid_request_error", "The request is not valid."},
      {401, "authentication_error", "invalid x-api-key"},
      {429, "rate_limit_error", "This request would exceed the rate limit"},
      {529, "overloaded_error", "Overloaded"},
      {0, "api_error", "Internal server error"},
  };
  size_t i = 0;

  while (known[i].status && known[i].status != status)
    i++;
  return json_pack("{sss{ssss}so}", "type", "error", "error", "type", known[i].type, "message",
                   known[i].message, "request_id", json_sprintf("req_%s", id));
}

static void error_event(const struct question *q, struct answer *answer)
{
  answer_event(answer, "error", error(529, q->id));
}

const struct shape shape_anthropic_messages = {
    .path = "/v1/messages",
    .stream_type = "text/event-stream; charset=utf-8",
    .id_header = "request-id",
    .streams = shape_asked_to_stream,
    .whole = whole,
    .stream = stream,
    .error = error,
    .error_event = error_event,
};
