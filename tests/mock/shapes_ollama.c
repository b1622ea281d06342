/* SPDX-License-Identifier: MIT */
/* Ollama's /api/chat: lines of JSON, and a stream unless the request says no. */
#include "tests/mock/shape.h"

#include <string.h>
#include <time.h>

static json_t *timestamp(int64_t now_s)
{
  char text[32];
  time_t now = (time_t)now_s;
  struct tm utc;

  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
  return json_string(text);
}

static json_t *line(const struct question *q, struct part part, bool last)
{
  json_t *line = json_pack("{ss so s{ssss#} sb}", "model", q->model, "created_at", timestamp(q->now_s),
                           "message", "role", "assistant", "content", part.text, part.len, "done", last);

  if (last)
    json_object_update_new(line,
                           json_pack("{sssIsIsIsI}", "done_reason", "stop", "total_duration",
                                     (json_int_t)4883583458, "load_duration", (json_int_t)1334875,
                                     "prompt_eval_count", q->input_tokens, "eval_count", q->output_tokens));
  return line;
}

static json_t *whole(const struct question *q)
{
  return line(q, (struct part){q->text, (int)strlen(q->text)}, true);
}

static void stream(const struct question *q, struct answer *answer)
{
  for (size_t i = 0; i < q->events; i++)
    answer_line(answer, line(q, shape_part(q, i), false));
  answer_end_mark(answer);
  answer_line(answer, line(q, (struct part){"", 0}, true));
}

static bool streams(const struct question *q)
{
  return !json_is_false(json_object_get(q->body, "stream"));
}

static json_t *error(unsigned status, const char *id)
{
  return json_pack("{so}", "error", json_sprintf("status %u (%s)", status, id));
}

static void error_event(const struct question *q, struct answer *answer)
{
  answer_line(answer, json_pack("{so}", "error", json_sprintf("the model stopped unexpectedly (%s)", q->id)));
}

const struct shape shape_ollama_chat = {
    .path = "/api/chat",
    .stream_type = "application/x-ndjson",
    .id_header = "x-request-id",
    .streams = streams,
    .whole = whole,
    .stream = stream,
    .error = error,
    .error_event = error_event,
};
