/* SPDX-License-Identifier: MIT */
#include "store/judge/counts.h"

#include "store/judge/words.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* Where the counts of tokens stand; a later place outranks an earlier one. Each has a number, which is its
 * bit, and the last is the document itself: Ollama has them beside the answer. */
#define PLACES(PLACE, n)                                                                                     \
  PLACE(n, 0, "usage", NULL)              /* OpenAI, Anthropic message_delta, Bedrock */                     \
  PLACE(n, 1, "usage", "tokens")          /* Cohere v2 */                                                    \
  PLACE(n, 2, "response", "usage")        /* OpenAI responses, streamed */                                   \
  PLACE(n, 3, "message", "usage")         /* Anthropic message_start */                                      \
  PLACE(n, 4, "delta", "usage", "tokens") /* Cohere v2, streamed */                                          \
  PLACE(n, 5, "usageMetadata", NULL)      /* Gemini */                                                       \
  PLACE(n, 6, "meta", "billed_units")     /* Cohere v1 */                                                    \
  PLACE(n, 7, "meta", "tokens")                                                                              \
  PLACE(n, 8, "response", "meta", "billed_units") /* Cohere v1, streamed */                                  \
  PLACE(n, 9, "response", "meta", "tokens")                                                                  \
  PLACE(n, 10, "x_groq", "usage")                        /* Groq, streamed */                                \
  PLACE(n, 11, "metadata", "usage")                      /* Nova, streamed by Bedrock */                     \
  PLACE(n, 12, "amazon-bedrock-invocationMetrics", NULL) /* in the last event of any model there */
enum { PLACE_ROOT = 13 };
_Static_assert(PLACE_ROOT + 1 == DOCUMENT_PLACES, "a bit for each");

#define PATH(n, number, ...) [number] = {__VA_ARGS__},
static const char *const places[DOCUMENT_PLACES][3] = {PLACES(PATH, )};

/* Those whose first word is so long: most names of a document are as long as none. */
#define LENGTHS(OF)                   OF(4) OF(5) OF(6) OF(7) OF(8) OF(13) OF(32)
#define BIT_IF(n, number, first, ...) | (uint32_t)(sizeof(first) - 1 == (n)) << (number)
#define ROW(n)                        [n] = 0 PLACES(BIT_IF, n),
#define ALL_OF(n)                     PLACES(BIT_IF, n)
static const uint32_t places_of_length[] = {LENGTHS(ROW)};
_Static_assert((0 LENGTHS(ALL_OF)) == (1 << PLACE_ROOT) - 1, "a length is not in LENGTHS");

/* What they are called: of a kind the first that is there, and what comes on top of just that one. OpenAI's
 * `prompt_tokens` has the cached tokens in it, Anthropic's `input_tokens` has not. */
enum { INPUT, OUTPUT, KINDS };
enum {
  PROMPT_TOKENS,
  INPUT_TOKENS,
  INPUT_TOKENS_CAMEL,
  CANDIDATES_TOKENS = 10,
  INPUT_TOKEN_COUNT = 15,
  NOTHING = -1
};
static const struct {
  const char *name;
  int kind, on_top_of;
  bool at_root;
} counts[] = {
    [PROMPT_TOKENS] = {"prompt_tokens", INPUT, NOTHING, false},
    [INPUT_TOKENS] = {"input_tokens", INPUT, NOTHING, false},
    [INPUT_TOKENS_CAMEL] = {"inputTokens", INPUT, NOTHING, false},
    {"promptTokenCount", INPUT, NOTHING, false},
    {"prompt_eval_count", INPUT, NOTHING, true},
    {"cache_creation_input_tokens", INPUT, INPUT_TOKENS, false},
    {"cache_read_input_tokens", INPUT, INPUT_TOKENS, false},
    {"completion_tokens", OUTPUT, NOTHING, false},
    {"output_tokens", OUTPUT, NOTHING, false},
    {"outputTokens", OUTPUT, NOTHING, false},
    [CANDIDATES_TOKENS] = {"candidatesTokenCount", OUTPUT, NOTHING, false},
    {"eval_count", OUTPUT, NOTHING, true},
    {"thoughtsTokenCount", OUTPUT, CANDIDATES_TOKENS, false},
    {"cacheReadInputTokens", INPUT, INPUT_TOKENS_CAMEL, false},
    {"cacheWriteInputTokens", INPUT, INPUT_TOKENS_CAMEL, false},
    [INPUT_TOKEN_COUNT] = {"inputTokenCount", INPUT, NOTHING, false},
    {"cacheReadInputTokenCount", INPUT, INPUT_TOKEN_COUNT, false},
    {"cacheWriteInputTokenCount", INPUT, INPUT_TOKEN_COUNT, false},
    {"outputTokenCount", OUTPUT, NOTHING, false},
};
_Static_assert(COUNT(counts) == DOCUMENT_COUNTS, "a column for each");

void counts_take(struct document_reader *reader, size_t depth, bool escaped)
{
  struct idem_span name = reader->cursor.name;
  for (size_t i = 0; reader->places[depth - 1] && i < COUNT(counts); i++) {
    if (!words_are_all_of(name, escaped, counts[i].name))
      continue;
    for (size_t j = 0; j < COUNT(places); j++) {
      /* A place whose way ends with the container that this number is a member of. */
      bool at_root = j == PLACE_ROOT, ends_here = depth > 3 || !places[j][depth - 1];
      if (counts[i].at_root != at_root || !ends_here || !(reader->places[depth - 1] >> j & 1))
        continue;
      if (!reader->counted)
        memset(reader->count, -1, sizeof(reader->count));
      reader->counted |= (uint32_t)1 << j;
      reader->count[j][i] = words_number(reader->cursor.text);
    }
  }
}

void counts_enter(struct document_reader *reader, size_t depth, bool escaped)
{
  struct idem_span name = reader->cursor.name;
  uint32_t left = reader->places[depth - 1];
  if (depth == 1 && !escaped)
    left &= name.len < COUNT(places_of_length) ? places_of_length[name.len] : 0;
  for (; left; left &= left - 1) {
    size_t j = (size_t)__builtin_ctz(left);
    const char *word = places[j][depth - 1];
    if (word && words_are_all_of(name, escaped, word))
      reader->places[depth] |= (uint32_t)1 << j;
  }
}

/* Places in ascending order, each over the one before it; within one, the first name of a kind that is there,
 * so that what is reported under two names counts once. */
void counts_end(struct document_reader *reader)
{
  int64_t *out[KINDS] = {&reader->document->usage.input, &reader->document->usage.output};
  for (uint32_t left = reader->counted; left; left &= left - 1) {
    int64_t *count = reader->count[__builtin_ctz(left)];
    int base[KINDS] = {NOTHING, NOTHING};
    for (size_t i = 0; i < COUNT(counts); i++)
      if (counts[i].on_top_of == NOTHING && base[counts[i].kind] == NOTHING && count[i] >= 0)
        base[counts[i].kind] = (int)i;
    for (int kind = 0; kind < KINDS; kind++) {
      if (base[kind] == NOTHING)
        continue;
      *out[kind] = count[base[kind]];
      for (size_t i = 0; i < COUNT(counts); i++)
        if (counts[i].on_top_of == base[kind] && count[i] > 0)
          *out[kind] += count[i];
    }
  }
}
