/* SPDX-License-Identifier: MIT */
/* Gemini chooses between a JSON answer and a stream by the method in the path, and a stream's end is its
 * finishReason. */
#include "tests/mock/shape.h"

#include <string.h>

static json_t *answer_part(const struct question *q, struct part part, const char *finish)
{
  json_t *candidate = json_pack("{s{s[{ss#}]ss}si}", "content", "parts", "text", part.text, part.len, "role",
                                "model", "index", 0);
  json_int_t output = finish ? q->output_tokens : 1;

  if (finish)
    json_object_set_new(candidate, "finishReason", json_string(finish));
  return json_pack("{s[o] s{sIsIsI} ss ss}", "candidates", candidate, "usageMetadata", "promptTokenCount",
                   q->input_tokens, "candidatesTokenCount", output, "totalTokenCount",
                   q->input_tokens + output, "modelVersion", q->model, "responseId", q->id);
}

static json_t *whole(const struct question *q)
{
  return answer_part(q, (struct part){q->text, (int)strlen(q->text)}, "STOP");
}

static void stream(const struct question *q, struct answer *answer)
{
  for (size_t i = 0; i + 1 < q->events; i++)
    answer_event(answer, NULL, answer_part(q, shape_part(q, i), NULL));
  answer_end_mark(answer);
  answer_event(answer, NULL, answer_part(q, shape_part(q, q->events - 1), "STOP"));
}

static json_t *error(unsigned status, const char *id)
{
  static const struct {
    unsigned status;
    const char *name, *message;
  } known[] = {
      {400, "INVALID_ARGUMENT", "Request contains an invalid argument."},
      {401, "UNAUTHENTICATED", "Request had invalid authentication credentials."},
      {429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."},
      {503, "UNAVAILABLE", "The model is overloaded. Please try again later."},
      {0, "INTERNAL", "An internal error has occurred. Please retry."},
  };
  size_t i = 0;

  while (known[i].status && known[i].status != status)
    i++;
  return json_pack("{s{sissss s[{ssss}]}}", "error", "code", (int)status, "message", known[i].message,
                   "status", known[i].name, "details", "@type", "type.googleapis.com/google.rpc.RequestInfo",
                   "requestId", id);
}

static void error_event(const struct question *q, struct answer *answer)
{
  answer_event(answer, NULL, error(503, q->id));
}

static bool never(const struct question *q)
{
  (void)q;
  return false;
}

static bool always(const struct question *q)
{
  (void)q;
  return true;
}

const struct shape shape_gemini_generate = {
    .path = "/v1*/models/*:generateContent",
    .id_header = "x-request-id",
    .streams = never,
    .whole = whole,
    .error = error,
};

const struct shape shape_gemini_stream = {
    .path = "/v1*/models/*:streamGenerateContent",
    .stream_type = "text/event-stream",
    .id_header = "x-request-id",
    .streams = always,
    .stream = stream,
    .error = error,
    .error_event = error_event,
};
