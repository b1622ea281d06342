/* SPDX-License-Identifier: MIT */
/* OpenAI's /v1/responses: the one shape whose events carry a running number and repeat the whole answer at
 * the end. */
#include "tests/mock/shape.h"

static json_t *usage(const struct question *q)
{
  return json_pack("{sI s{si} sI s{si} sI}", "input_tokens", q->input_tokens, "input_tokens_details",
                   "cached_tokens", 0, "output_tokens", q->output_tokens, "output_tokens_details",
                   "reasoning_tokens", 0, "total_tokens", q->input_tokens + q->output_tokens);
}

static json_t *text_part(const char *text)
{
  return json_pack("{sssss[]}", "type", "output_text", "text", text, "annotations");
}

static json_t *message(const struct question *q, const char *status, json_t *content)
{
  return json_pack("{soss ssssso}", "id", json_sprintf("msg_%s", q->id), "type", "message", "status", status,
                   "role", "assistant", "content", content);
}

static json_t *response(const struct question *q, const char *status, json_t *output, json_t *used)
{
  return json_pack("{so ss sI ss sn ss so so}", "id", json_sprintf("resp_%s", q->id), "object", "response",
                   "created_at", (json_int_t)q->now_s, "status", status, "error", "model", q->model, "output",
                   output, "usage", used);
}

static json_t *finished_message(const struct question *q)
{
  return message(q, "completed", json_pack("[o]", text_part(q->text)));
}

static json_t *whole(const struct question *q)
{
  return response(q, "completed", json_pack("[o]", finished_message(q)), usage(q));
}

/* An event is its members and two more: its type, as in the event line, and its number in the stream. */
static void event(struct answer *answer, const char *type, json_t *members)
{
  json_object_set_new(members, "type", json_string(type));
  json_object_set_new(members, "sequence_number", json_integer((json_int_t)answer->cut_count));
  answer_event(answer, type, members);
}

static json_t *in_item(const struct question *q)
{
  return json_pack("{sosisi}", "item_id", json_sprintf("msg_%s", q->id), "output_index", 0, "content_index",
                   0);
}

static void text_events(const struct question *q, struct answer *answer)
{
  json_t *members;

  for (size_t i = 0; i < q->events; i++) {
    struct part part = shape_part(q, i);
    members = in_item(q);
    json_object_set_new(members, "delta", json_stringn(part.text, (size_t)part.len));
    event(answer, "response.output_text.delta", members);
  }
  members = in_item(q);
  json_object_set_new(members, "text", json_string(q->text));
  event(answer, "response.output_text.done", members);
}

static void stream(const struct question *q, struct answer *answer)
{
  json_t *members;

  event(answer, "response.created",
        json_pack("{so}", "response", response(q, "in_progress", json_array(), json_null())));
  event(answer, "response.output_item.added",
        json_pack("{siso}", "output_index", 0, "item", message(q, "in_progress", json_array())));
  members = in_item(q);
  json_object_set_new(members, "part", text_part(""));
  event(answer, "response.content_part.added", members);
  text_events(q, answer);
  members = in_item(q);
  json_object_set_new(members, "part", text_part(q->text));
  event(answer, "response.content_part.done", members);
  event(answer, "response.output_item.done",
        json_pack("{siso}", "output_index", 0, "item", finished_message(q)));
  answer_end_mark(answer);
  event(answer, "response.completed", json_pack("{so}", "response", whole(q)));
}

static void error_event(const struct question *q, struct answer *answer)
{
  event(answer, "error",
        json_pack("{sssosn}", "code", "server_error", "message",
                  json_sprintf("The server had an error (%s).", q->id), "param"));
}

const struct shape shape_openai_responses = {
    .path = "/v1/responses",
    .stream_type = "text/event-stream; charset=utf-8",
    .id_header = "x-request-id",
    .streams = shape_asked_to_stream,
    .whole = whole,
    .stream = stream,
    .error = shape_openai_error,
    .error_event = error_event,
};
