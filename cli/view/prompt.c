/* SPDX-License-Identifier: MIT */
/*
 * What a person would call the prompt, found without knowing whose API it is: the last text that a user said.
 * Providers put it under a dozen names and nest it in as many ways, so names are tried in order and lists
 * from their end.
 */
#include "cli/view/prompt.h"

#include "cli/output/utf8.h"

#include <jansson.h>
#include <string.h>

/* Where providers put what is asked, in the order in which it is looked for. */
static const char *const prompt_fields[] = {
    "messages", /* OpenAI chat, Anthropic, Mistral, Cohere v2, Ollama chat, Bedrock converse */
    "input",    /* OpenAI responses and embeddings */
    "contents", /* Gemini */
    "prompt",   /* completions, Ollama generate */
    "message",  /* Cohere v1 */
    "inputs",   /* Hugging Face servers */
    "content",  "parts", "text", "inputText",
};

/* Deeper than any provider nests text; a hostile body must not exhaust the stack. */
enum { DEEPEST = 8, BEGINNING = 400 };

static const char *text_in(const json_t *value, int depth);

/* An item without a role is taken for the user's. */
static bool is_from_user(const json_t *item)
{
  const char *role = json_string_value(json_object_get(item, "role"));
  return !role || strcmp(role, "user") == 0;
}

/* The last text, first among what the user said, then among the rest. A conversation has the
 * question at its end, and tools or the assistant may have spoken after it. So the user's last
 * words are looked for first, and whatever was said last only if there are none. */
static const char *text_in_list(const json_t *list, int depth)
{
  for (int user = 1; user >= 0; user--) {
    for (size_t i = json_array_size(list); i-- > 0;) {
      const json_t *item = json_array_get(list, i);
      const char *text = is_from_user(item) == user ? text_in(item, depth + 1) : NULL;
      if (text)
        return text;
    }
  }
  return NULL;
}

/* For lists and objects within each other. */
static const char *text_in(const json_t *value, int depth)
{
  if (!value || depth > DEEPEST)
    return NULL;
  if (json_is_string(value))
    return *json_string_value(value) ? json_string_value(value) : NULL;
  if (json_is_array(value))
    return text_in_list(value, depth);
  for (size_t i = 0; i < sizeof(prompt_fields) / sizeof(prompt_fields[0]); i++) {
    const char *text = text_in(json_object_get(value, prompt_fields[i]), depth + 1);
    if (text)
      return text;
  }
  return NULL;
}

/* A copy of the beginning, not cut inside a character. */
static char *beginning(const char *text, size_t len)
{
  size_t end = 0;
  while (end < len && end < BEGINNING) {
    size_t n = cli_utf8_len(text + end, len - end);
    end += n ? n : 1;
  }
  return strndup(text, end);
}

/* A body that is no JSON, or has no prompt that we know, is shown from its beginning. */
char *cli_prompt(struct idem_span body)
{
  json_t *document = body.len ? json_loadb(body.data, body.len, 0, NULL) : NULL;
  const char *text = text_in(document, 0);
  char *out = text ? beginning(text, strlen(text)) : body.len ? beginning(body.data, body.len) : strdup("");
  json_decref(document);
  return out;
}

/* What stands behind one of the words that providers put before a model in a path, up to the next / or : */
static char *model_in_path(struct idem_span path)
{
  static const char *const words[] = {"/models/", "/model/", "/deployments/"};
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    size_t len = strlen(words[i]);
    const char *at = path.len ? memmem(path.data, path.len, words[i], len) : NULL;
    const char *end = path.data + path.len, *stop = at ? at + len : NULL;
    while (stop && stop < end && *stop != '/' && *stop != ':')
      stop++;
    if (at)
      return strndup(at + len, (size_t)(stop - at) - len);
  }
  return strdup("");
}

char *cli_model(struct idem_span path, struct idem_span body)
{
  json_t *document = body.len ? json_loadb(body.data, body.len, 0, NULL) : NULL;
  const json_t *model = json_object_get(document, "model");
  char *out = json_is_string(model) ? beginning(json_string_value(model), json_string_length(model))
                                    : model_in_path(path);
  json_decref(document);
  return out;
}
