/* SPDX-License-Identifier: MIT */
#include "store/judge/document.h"

#include "store/json/json_cursor.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* What `type` (Cohere v1: `event_type`) is in the event that ends a stream, and in one that breaks it off. */
static const char *const ends[] = {
    "message_stop",                              /* Anthropic */
    "response.completed", "response.incomplete", /* OpenAI responses */
    "message-end",        "stream-end",          /* Cohere */
};
static const char *const failures[] = {"error", "response.failed", "response.error"};

/* Places of what decides. `*` is an element of an array. */
enum fact {
  FACT_ERROR,
  FACT_ANSWER, /* with any of these there is an answer, whatever `error` says */
  FACT_FINISH, /* OpenRouter and Cohere say "error" here */
  FACT_STATUS,
  FACT_TYPE,
  FACT_EVENT_TYPE,
  FACT_DONE,
  FACT_CANDIDATE,
  FACT_CANDIDATE_FINISH, /* Gemini has no word for the end: each candidate of the last chunk says why it is over */
  FACT_FEEDBACK,
  FACT_BLOCKED,
};
static const struct {
  const char *path[3];
  enum fact fact;
} facts[] = {
    {{"error"}, FACT_ERROR},
    {{"choices"}, FACT_ANSWER},
    {{"content"}, FACT_ANSWER},
    {{"output"}, FACT_ANSWER},
    {{"candidates"}, FACT_ANSWER},
    {{"data"}, FACT_ANSWER},
    {{"embeddings"}, FACT_ANSWER},
    {{"finish_reason"}, FACT_FINISH},
    {{"choices", "*", "finish_reason"}, FACT_FINISH},
    {{"status"}, FACT_STATUS},
    {{"type"}, FACT_TYPE},
    {{"event_type"}, FACT_EVENT_TYPE},
    {{"done"}, FACT_DONE},
    {{"candidates", "*"}, FACT_CANDIDATE},
    {{"candidates", "*", "finishReason"}, FACT_CANDIDATE_FINISH},
    {{"promptFeedback"}, FACT_FEEDBACK},
    {{"promptFeedback", "blockReason"}, FACT_BLOCKED},
};

/* Where the counts of tokens stand; a later place outranks an earlier one. */
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
    {NULL},              /* Ollama has them beside the answer */
};

/* What they are called: of a kind the first that is there, and all that come on top of it. */
enum { INPUT, OUTPUT, KINDS };
static const struct {
  const char *name;
  int kind;
  bool on_top, at_root;
} counts[] = {
    {"prompt_tokens", INPUT, false, false},
    {"input_tokens", INPUT, false, false},
    {"inputTokens", INPUT, false, false},
    {"promptTokenCount", INPUT, false, false},
    {"prompt_eval_count", INPUT, false, true},
    {"cache_creation_input_tokens", INPUT, true, false},
    {"cache_read_input_tokens", INPUT, true, false},
    {"completion_tokens", OUTPUT, false, false},
    {"output_tokens", OUTPUT, false, false},
    {"outputTokens", OUTPUT, false, false},
    {"candidatesTokenCount", OUTPUT, false, false},
    {"eval_count", OUTPUT, false, true},
    {"thoughtsTokenCount", OUTPUT, true, false},
};

enum { DEPTH_MOST = 4 }; /* the deepest place of both tables */

struct reading {
  struct document *document;
  struct json_cursor cursor;
  size_t base;                           /* documents stand at this depth: 1 in an array of them */
  struct idem_span path[DEPTH_MOST + 1]; /* the names from the document to the value; [0] is not used */
  bool answered, error_told, typed;
  size_t candidates, finished;
  bool has_candidates, blocked, counted;
  int64_t count[COUNT(places)][COUNT(counts)];
};

static bool is_one_of(struct idem_span text, const char *const *words, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (json_string_is(text, words[i], strlen(words[i])))
      return true;
  return false;
}

bool document_is_failure(struct idem_span name)
{
  return is_one_of(name, failures, COUNT(failures));
}

static bool name_is(struct idem_span name, const char *word)
{
  if (word[0] == '*')
    return !name.data;
  return name.data && json_string_is(name, word, strlen(word));
}

/* True if the names of the path down to `depth` are those, and there are no more of those. The last ones differ
 * most often. */
static bool path_is(const struct reading *reading, const char *const names[3], size_t depth)
{
  if (depth > 3 || (depth && !names[depth - 1]) || (depth < 3 && names[depth]))
    return false;
  for (size_t i = depth; i > 0; i--)
    if (!name_is(reading->path[i], names[i - 1]))
      return false;
  return true;
}

static int64_t number(struct idem_span text)
{
  char digits[32];
  if (text.len >= sizeof(digits))
    return -1;
  memcpy(digits, text.data, text.len);
  digits[text.len] = '\0';
  double real = strtod(digits, NULL);
  return real >= 0 && real < 1e15 ? (int64_t)real : -1;
}

static void take_count(struct reading *reading, size_t depth)
{
  struct idem_span name = reading->path[depth];
  for (size_t i = 0; i < COUNT(counts); i++) {
    if (!json_string_is(name, counts[i].name, strlen(counts[i].name)))
      continue;
    for (size_t j = 0; j < COUNT(places); j++)
      if (counts[i].at_root == !places[j][0] && path_is(reading, places[j], depth - 1)) {
        if (!reading->counted)
          memset(reading->count, -1, sizeof(reading->count));
        reading->counted = true;
        reading->count[j][i] = number(reading->cursor.text);
      }
  }
}

static void take_fact(struct reading *reading, enum fact fact, enum cursor_event event)
{
  struct document *document = reading->document;
  struct idem_span text = reading->cursor.text;
  bool string = event == CURSOR_STRING, object = event == CURSOR_OBJECT;
  switch (fact) {
  case FACT_ERROR:
    reading->error_told |= object || string;
    document->error |= event != CURSOR_WORD || *text.data != 'n';
    break;
  case FACT_ANSWER:
    reading->answered = true;
    break;
  case FACT_FINISH:
    document->failed |= string && text.len >= 5 && strncasecmp(text.data, "error", 5) == 0;
    break;
  case FACT_STATUS:
    document->failed |= string && json_string_is(text, "failed", 6);
    break;
  case FACT_EVENT_TYPE:
    if (reading->typed)
      break;
    /* fall through */
  case FACT_TYPE:
    reading->typed |= fact == FACT_TYPE;
    document->ended = string && is_one_of(text, ends, COUNT(ends));
    document->error |= string && document_is_failure(text);
    break;
  case FACT_DONE:
    document->done = event == CURSOR_WORD && *text.data == 't';
    break;
  case FACT_CANDIDATE:
    reading->candidates++;
    break;
  case FACT_CANDIDATE_FINISH:
    reading->finished += string;
    break;
  case FACT_BLOCKED:
    reading->blocked = true;
    break;
  case FACT_FEEDBACK:
    break;
  }
  reading->has_candidates |= fact == FACT_FEEDBACK || fact == FACT_CANDIDATE;
}

static void take_value(struct reading *reading, enum cursor_event event, size_t depth)
{
  struct idem_span name = reading->cursor.name;
  reading->path[depth] = name;
  /* Elements count only where they are few: vectors have millions. */
  if (!name.data && depth != 2)
    return;
  for (size_t i = 0; depth <= 3 && i < COUNT(facts); i++)
    if (path_is(reading, facts[i].path, depth))
      take_fact(reading, facts[i].fact, event);
  if (event == CURSOR_NUMBER && name.data)
    take_count(reading, depth);
}

static void end_counts(struct reading *reading)
{
  int64_t *out[KINDS] = {&reading->document->usage.input, &reading->document->usage.output};
  for (size_t j = 0; reading->counted && j < COUNT(places); j++) {
    int64_t sum[KINDS] = {-1, -1}, more[KINDS] = {0};
    for (size_t i = 0; i < COUNT(counts); i++) {
      int64_t count = reading->count[j][i];
      if (counts[i].on_top)
        more[counts[i].kind] += count > 0 ? count : 0;
      else if (sum[counts[i].kind] < 0)
        sum[counts[i].kind] = count;
    }
    for (int kind = 0; kind < KINDS; kind++)
      if (sum[kind] >= 0)
        *out[kind] = sum[kind] + more[kind];
  }
}

static void end_document(struct reading *reading)
{
  struct document *document = reading->document;
  document->failed |= reading->error_told && !reading->answered;
  if (reading->has_candidates) {
    document->ended = reading->blocked || (reading->candidates && reading->finished == reading->candidates);
    document->goes_on = !document->ended;
  }
  end_counts(reading);
  reading->answered = reading->error_told = reading->typed = false;
  reading->has_candidates = reading->blocked = reading->counted = false;
  reading->candidates = reading->finished = 0;
}

void document_read(struct idem_span text, struct document *document)
{
  struct reading reading;
  struct json_cursor *cursor = &reading.cursor;
  enum cursor_event event;
  *document = (struct document){.usage = document->usage};
  memset(&reading, 0, offsetof(struct reading, count));
  reading.document = document;
  json_cursor_init(cursor, text);
  while ((event = json_cursor_next(cursor)) > CURSOR_END) {
    size_t depth = cursor->depth;
    if (depth == 0 && event != CURSOR_CLOSE) {
      document->container = event == CURSOR_ARRAY || event == CURSOR_OBJECT;
      reading.base = event == CURSOR_ARRAY;
    }
    if (depth < reading.base)
      continue;
    depth -= reading.base;
    if (depth == 0 && event != CURSOR_ARRAY && event != CURSOR_OBJECT)
      end_document(&reading);
    else if (depth > 0 && depth <= DEPTH_MOST && event != CURSOR_CLOSE)
      take_value(&reading, event, depth);
  }
  document->json = json_cursor_release(cursor);
}
