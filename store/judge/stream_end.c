/* SPDX-License-Identifier: MIT */
#include "store/judge/stream_end.h"
#include "store/key/json_depth.h"

#include "store/judge/event_stream.h"
#include "store/judge/usage.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* What `type` (Cohere v1: `event_type`) is in the event that ends a stream, and in one that breaks it off. */
static const char *const ends[] = {
    "message_stop",                              /* Anthropic */
    "response.completed", "response.incomplete", /* OpenAI responses */
    "message-end",        "stream-end",          /* Cohere */
};
static const char *const failures[] = {"error", "response.failed", "response.error"};

static bool is_one_of(const char *word, size_t len, const char *const *words, size_t count)
{
  for (size_t i = 0; word && i < count; i++)
    if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
      return true;
  return false;
}

static bool string_is(const json_t *json, const char *const *words, size_t count)
{
  return is_one_of(json_string_value(json), json_string_length(json), words, count);
}

/* A choice that ended in an error, although the status said otherwise (OpenRouter, Cohere). */
static bool finished_badly(const json_t *object)
{
  const char *reason = json_string_value(json_object_get(object, "finish_reason"));
  return reason && strncasecmp(reason, "error", 5) == 0;
}

bool stream_is_error(const json_t *json)
{
  /* With any of these there is an answer, whatever else is said. */
  static const char *const answers[] = {"choices", "content", "output", "candidates", "data", "embeddings"};
  static const char *const failed[] = {"failed"};
  const json_t *error = json_object_get(json, "error");
  bool answered = false;
  for (size_t i = 0; i < COUNT(answers); i++)
    answered = answered || json_object_get(json, answers[i]);
  if ((json_is_object(error) || json_is_string(error)) && !answered)
    return true;
  const json_t *choices = json_object_get(json, "choices");
  for (size_t i = 0; i < json_array_size(choices); i++)
    if (finished_badly(json_array_get(choices, i)))
      return true;
  return string_is(json_object_get(json, "status"), failed, 1) || finished_badly(json);
}

/* text/event-stream */

/* Gemini has no word for the end: every candidate of the last chunk says why it has finished. */
static bool candidates_finished(const json_t *json)
{
  const json_t *candidates = json_object_get(json, "candidates");
  size_t count = json_array_size(candidates);
  for (size_t i = 0; i < count; i++)
    if (!json_is_string(json_object_get(json_array_get(candidates, i), "finishReason")))
      return false;
  return count > 0 || json_object_get(json_object_get(json, "promptFeedback"), "blockReason");
}

static void read_event_json(const json_t *json, struct stream *stream)
{
  const json_t *type = json_object_get(json, "type"), *error = json_object_get(json, "error");
  if (!type)
    type = json_object_get(json, "event_type");
  stream->failed = stream->failed || (error && !json_is_null(error)) ||
                   string_is(type, failures, COUNT(failures)) || stream_is_error(json);
  if (string_is(type, ends, COUNT(ends)))
    stream->ended = true;
  if (json_object_get(json, "candidates") || json_object_get(json, "promptFeedback"))
    stream->ended = candidates_finished(json);
  usage_take(json, &stream->usage);
}

static int read_event(void *arg, struct idem_span name, struct idem_span data)
{
  struct stream *stream = arg;
  static const char *const done[] = {"[DONE]"};
  if (is_one_of(data.data, data.len, done, 1))
    stream->ended = true;
  if (is_one_of(name.data, name.len, failures, COUNT(failures)))
    stream->failed = true;
  json_t *json = shallow_load(data, JSON_ALLOW_NUL, NULL);
  if (json)
    read_event_json(json, stream);
  json_decref(json);
  return 0;
}

int stream_read_events(struct idem_span body, struct stream *stream)
{
  return sse_each(body, read_event, stream);
}

/* application/x-ndjson */

int stream_read_lines(struct idem_span body, struct stream *stream)
{
  struct idem_span line;
  while (sse_line(&body, &line)) {
    if (!line.len)
      continue;
    json_t *json = shallow_load(line, JSON_ALLOW_NUL, NULL);
    const json_t *error = json_object_get(json, "error");
    stream->malformed = stream->malformed || !json;
    stream->failed = stream->failed || (error && !json_is_null(error));
    stream->ended = json_is_true(json_object_get(json, "done"));
    usage_take(json, &stream->usage);
    json_decref(json);
  }
  return 0;
}
