/* SPDX-License-Identifier: MIT */
#include "store/judge/usage.h"

/* Where the counts stand. */
static const char *const places[][3] = {
    {"usage"},                    /* OpenAI, Anthropic message_delta, Bedrock */
    {"usage", "tokens"},          /* Cohere v2 */
    {"response", "usage"},        /* OpenAI responses, streamed */
    {"message", "usage"},         /* Anthropic message_start */
    {"delta", "usage", "tokens"}, /* Cohere v2, streamed */
    {"usageMetadata"},            /* Gemini */
    {"meta", "billed_units"},     /* Cohere v1 */
    {"meta", "tokens"},
    {"response", "meta", "billed_units"}, /* Cohere v1, streamed */
    {"response", "meta", "tokens"},
    {"x_groq", "usage"}, /* Groq, streamed */
};

/* What they are called: the first that is there, plus all that come with it. */
static const char *const inputs[] = {"prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount"};
static const char *const outputs[] = {"completion_tokens", "output_tokens", "outputTokens",
                                      "candidatesTokenCount"};
static const char *const more_inputs[] = {"cache_creation_input_tokens", "cache_read_input_tokens"};
static const char *const more_outputs[] = {"thoughtsTokenCount"};

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static int64_t number(const json_t *object, const char *name)
{
  const json_t *value = json_object_get(object, name);
  double real = json_number_value(value);
  return json_is_number(value) && real >= 0 && real < 1e15 ? (int64_t)real : -1;
}

static void take(const json_t *object, const char *const *names, size_t count, const char *const *more,
                 size_t more_count, int64_t *out)
{
  int64_t sum = -1;
  for (size_t i = 0; i < count && sum < 0; i++)
    sum = number(object, names[i]);
  if (sum < 0)
    return;
  for (size_t i = 0; i < more_count; i++) {
    int64_t extra = number(object, more[i]);
    sum += extra > 0 ? extra : 0;
  }
  *out = sum;
}

void usage_take(const json_t *json, struct idem_usage *usage)
{
  for (size_t i = 0; i < COUNT(places); i++) {
    const json_t *object = json;
    for (size_t j = 0; j < 3 && places[i][j]; j++)
      object = json_object_get(object, places[i][j]);
    take(object, inputs, COUNT(inputs), more_inputs, COUNT(more_inputs), &usage->input);
    take(object, outputs, COUNT(outputs), more_outputs, COUNT(more_outputs), &usage->output);
  }
  /* Ollama has them beside the answer. */
  static const char *const input[] = {"prompt_eval_count"}, *const output[] = {"eval_count"};
  take(json, input, 1, NULL, 0, &usage->input);
  take(json, output, 1, NULL, 0, &usage->output);
}
