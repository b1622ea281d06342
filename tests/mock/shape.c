/* SPDX-License-Identifier: MIT */
#include "tests/mock/shape.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <string.h>

static const struct shape *const shapes[] = {
    &shape_openai_chat,        &shape_openai_completions, &shape_openai_embeddings, &shape_openai_responses,
    &shape_anthropic_messages, &shape_gemini_generate,    &shape_gemini_stream,     &shape_ollama_chat,
};

const struct shape shape_unknown = {.path = "*", .id_header = "x-request-id", .error = shape_openai_error};

const struct shape *shape_for(const char *path)
{
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    if (!fnmatch(shapes[i]->path, path, 0))
      return shapes[i];
  return &shape_unknown;
}

bool shape_asked_to_stream(const struct question *question)
{
  return json_is_true(json_object_get(question->body, "stream"));
}

const json_t *shape_asked(const struct question *question, ...)
{
  const json_t *found = question->body;
  const char *name;
  va_list names;

  va_start(names, question);
  while (found && (name = va_arg(names, const char *)))
    found = json_object_get(found, name);
  va_end(names);
  return found;
}

struct part shape_part(const struct question *question, size_t n)
{
  size_t len = strlen(question->text), from = len * n / question->events;

  return (struct part){question->text + from, (int)(len * (n + 1) / question->events - from)};
}
