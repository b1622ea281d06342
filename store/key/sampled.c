/* SPDX-License-Identifier: MIT */
/* Of a POST these tables tell; docs/keys.md has them for users. Where no temperature is sent, none of
 * the providers means 0. */
#include "store/key/sampled.h"

#include "store/json/json_pointer.h"

#include <string.h>

/* Endpoints of which every call is deterministic, by their last segments on whatever host. */
static const char *const deterministic[] = {
    "*/embeddings", "*/embedding", "*/embed", "*:embedContent", "*:batchEmbedContents", "*/moderations",
    "*/rerank", "*/score", "*/classify", "*/classifications", "*/ocr", "*/count_tokens", "*/count-tokens",
    "*:countTokens", "*/input_tokens", "*/tokenize", "*/detokenize",
    /* Amazon Bedrock has the model in the path. */
    "/model/*embed*/invoke", "/model/*rerank*/invoke"};

/* Where a temperature stands, which is deterministic if it is 0, and behind them where a seed
 * does, if there is one. */
enum { TEMPERATURES = 5 };
static const char *const places[] = {
    "/temperature",         "/generationConfig/temperature", "/inferenceConfig/temperature",
    "/options/temperature", "/parameters/temperature",       "/seed",
    "/random_seed",         "/generationConfig/seed",        "/options/seed",
    "/parameters/seed"};

struct signs {
  bool seeded, cold, warm;
};

/* However 0 is spelled: 0.0, -0e5. */
static bool is_zero(struct idem_span number)
{
  size_t i = number.len && *number.data == '-';
  bool digit = false;
  for (; i < number.len && (number.data[i] == '0' || number.data[i] == '.'); i++)
    digit |= number.data[i] == '0';
  return digit && (i == number.len || (number.data[i] | 0x20) == 'e');
}

static void note(void *arg, size_t which, struct idem_span value)
{
  struct signs *signs = arg;
  bool null = value.len == 4 && memcmp(value.data, "null", 4) == 0;
  /* To llama.cpp and those who go by it -1 is a seed of each call's own. */
  if (which >= TEMPERATURES)
    signs->seeded |= !null && *value.data != '-';
  else if (is_zero(value))
    signs->cold = true;
  else
    signs->warm |= !null;
}

/* A temperature that is given twice, once as 0, may be either: then it is paid for
 * rather than given for many. */
bool sampled_is(const struct idem_request *request)
{
  const struct idem_words words = {(char **)(uintptr_t)places, sizeof(places) / sizeof(*places)};
  struct signs signs = {.seeded = false};
  if (request->method.len != 4 || memcmp(request->method.data, "POST", 4) != 0)
    return false;
  for (size_t i = 0; i < sizeof(deterministic) / sizeof(*deterministic); i++)
    if (idem_glob(deterministic[i], request->path.data, request->path.len, false))
      return false;
  /* A body that is no JSON says nothing of a temperature. */
  return !json_find(request->body, &words, note, &signs) || !(signs.seeded || (signs.cold && !signs.warm));
}
