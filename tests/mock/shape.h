/* SPDX-License-Identifier: MIT */
/*
 * shape: what the answers of one provider's endpoint look like. One file for each provider, one table of all.
 */
#ifndef MOCK_SHAPE_H
#define MOCK_SHAPE_H

#include "tests/mock/answer.h"

#include <stdbool.h>
#include <stdint.h>

/* What a provider would know when it answers. Nothing is owned. */
struct question {
  const json_t *body; /* the request; an empty object if it is no JSON object */
  const char *model;
  const char *id;   /* hexadecimal, new for each call */
  const char *text; /* what the model says; names the call by serial number, id and time */
  uint64_t serial;  /* which call of this server it is */
  int64_t now_s;    /* seconds since 1970 */
  size_t events;    /* text events of a stream */
  json_int_t input_tokens, output_tokens;
};

struct shape {
  const char *path; /* glob */
  const char *stream_type;
  const char *id_header; /* the provider's name for a request id */

  bool (*streams)(const struct question *question);
  json_t *(*whole)(const struct question *question);
  void (*stream)(const struct question *question, struct answer *answer); /* NULL: never streams */
  json_t *(*error)(unsigned status, const char *id);
  void (*error_event)(const struct question *question, struct answer *answer);
};

/* The shape for a path without query; for an unknown one, `shape_unknown`, whose every answer is a 404. */
const struct shape *shape_for(const char *path);
extern const struct shape shape_unknown;

extern const struct shape shape_openai_chat, shape_openai_completions, shape_openai_embeddings;
extern const struct shape shape_openai_responses, shape_anthropic_messages, shape_gemini_generate;
extern const struct shape shape_gemini_stream, shape_ollama_chat;

/* For the shapes. */

/* "stream": true in the request. */
bool shape_asked_to_stream(const struct question *question);

/* What `path` (member names) leads to in the request, or NULL: shape_asked(question, "stream_options",
 * "include_usage", NULL). */
const json_t *shape_asked(const struct question *question, ...) __attribute__((sentinel));

/* The n-th part of the text, of question->events parts; to be formatted with %.*s, or packed with s%. */
struct part {
  const char *text;
  int len;
};
struct part shape_part(const struct question *question, size_t n);

/* How OpenAI says that a request failed; also for whoever follows it. */
json_t *shape_openai_error(unsigned status, const char *id);

#endif
