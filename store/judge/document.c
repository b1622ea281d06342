/* SPDX-License-Identifier: MIT */
/*
 * The rows of both tables that may lead to a value are kept as one bit each, for every depth: the name of a
 * member is compared once, where it stands, and no text has to stay in its place for the ones below it.
 */
#include "store/judge/document.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* What `type` (Cohere v1: `event_type`) is in the event that ends a stream: words of each row of the
 * providers' table.
 */
static const char *const ends[] = {
#define ANSWER(provider, shape, media, sign, words, ...) words,
#include "config/answers.def"
#undef ANSWER
};

/* In the events that break it off, and in one that comes between several ends. The first failure must stay
 * "error": it is also asked for alone, in `status` and `object`. */
static const char *const failures[] = {"error",          "exception",          "response.failed",
                                       "response.error", "response.cancelled", "conversation.response.error"};
/* Ends in words that may stand for the end of less than the stream. */
static const char *const loose_ends[] = {"done",         "end",      "complete",    "completed",
                                         "finish",       "finished", "message_end", "workflow_finished",
                                         "response.done"};
/* A part of a stream of the AI SDK's; of a document it says nothing. */
static const char *const aborted[] = {"abort"};
static const char *const between[] = {"image_generation.partial_image", "image_edit.partial_image"};
/* How `type` begins in the events of streams that end in words of their own, each of them up to the end. */
static const char *const owing[] = {"response.", "conversation.response.", "message_start", "content_block_",
                                    "message-start"};

/* `status` and its like, in any case of letters, and without what Google writes before them (JOB_STATE_FAILED). */
static const char *const failed_states[] = {"failed", "cancelled", "canceled", "expired", "aborted"};
static const char *const failed_workflows[] = {"failed", "stopped"};
/* The same, only where words stand beside them, or in the `task_status` of a task. */
static const char *const refused_states[] = {"error", "fail", "failure"};
static const char *const job_states[] = {"queued",     "in_queue",   "in_progress", "in-progress",
                                         "processing", "pending",    "running",     "starting",
                                         "submitted",  "scheduled",  "validating",  "accepted",
                                         "creating",   "throttled",  "notstarted",  "not_started",
                                         "finalizing", "cancelling", "canceling",   "pending-evaluation",
                                         "preparing",  "enqueued",   "dreaming",    "validating_files",
                                         "inprogress", "waiting"};
/* The same where the answer is there as a null: of a thing that is not waited for it says that it is there. */
static const char *const begun_states[] = {"created"};
/* Why something is over, where it is over for no reason of the answer's own. What has "error" in it is one of them. */
static const char *const broken[] = {
    "abort",  "aborted", "cancel",  "cancelled", "canceled",
    "failed", "failure", "timeout", "timed_out", "insufficient_system_resource"};
/* And where it is not over. */
static const char *const unfinished[] = {"", "null", "not_finished", "FINISH_REASON_UNSPECIFIED"};
/* What Gemini and Vertex say of a prompt that is not blocked, if they say anything. */
static const char *const unblocked[] = {"", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED"};
/* `code` of a success, or what an error says where there is none, in words. */
static const char *const successes[] = {"ok", "success", "succeed", "succeeded"};
static const char *const lengths[] = {"length",     "max_tokens",   "max_output_tokens",
                                      "incomplete", "model_length", "model_context_window_exceeded"};

/* What decides. */
enum fact {
  FACT_ERROR,
  FACT_ERRORS,
  FACT_ERROR_WORDS, /* what an `error` says of itself: one that says it is a failure beside an answer, too */
  FACT_TOLD,        /* an error by another name */
  FACT_EXCEPTION,   /* the name of one, if it ends as such a name does */
  FACT_ANSWER,      /* with any of these that is not empty there is an answer, whatever `error` says */
  FACT_MESSAGE,     /* an answer if it is an object, and else the words of an error */
  FACT_WORDS,       /* such words, also where they are a list or an object */
  FACT_BESIDE,      /* stands beside such words; neither a word nor an answer */
  FACT_REASON,      /* such a word; in an event that ends a stream, why */
  FACT_LIST,        /* an answer, and none where it is empty */
  FACT_CHOICE,
  FACT_CHOICE_INDEX,
  FACT_CHOICE_FINISH,
  FACT_FINISH, /* OpenRouter and Cohere say "error" here */
  FACT_OVER,   /* the same, and each event has one */
  FACT_STOP,
  FACT_STATUS,
  FACT_STATE,       /* a weaker word: nothing beside an answer */
  FACT_TASK_STATUS, /* of a task, whose state is all there is to tell */
  FACT_OBJECT,
  FACT_CODE,     /* not zero: a failure */
  FACT_ANY_CODE, /* neither zero nor a success of HTTP, and words beside it: the same. A word is one only where
                    nothing but such words is there */
  FACT_SUCCESS,
  FACT_OK, /* false, and words beside it: a failure */
  FACT_TYPE,
  FACT_EVENT_TYPE,
  FACT_EVENT, /* Dify has its name here */
  FACT_IS_FINISHED,
  FACT_DONE,
  FACT_STOPPED,   /* llama.cpp */
  FACT_GENERATED, /* TGI has the whole text in the last event */
  FACT_NAME,
  FACT_JOB,
  FACT_TICKET, /* a job if nothing else is there */
  FACT_DATA,
  FACT_DATA_TICKET,
  FACT_DATA_WORDS,
  FACT_INCOMPLETE_REASON,
  FACT_WORKFLOW,
  FACT_WORKFLOW_STATUS,
  FACT_CANDIDATE,
  FACT_CANDIDATE_FINISH, /* Gemini has no word for the end: each candidate of the last chunk says why it is over */
  FACT_BLOCKED,
};

/* Members of a document, by the length of their names: each one that a document has is held against those of its own length, of which
 * the first letter settles nearly all. The compiler counts them. */
struct member {
  char name[17];
  unsigned char fact;
};
#define MEMBER(len, name, fact)                                                                              \
  {                                                                                                          \
    name, (fact) + 0 * sizeof(char[sizeof(name) - 1 == (len) ? 1 : -1])                                      \
  }
static const struct member of_2[] = {
    MEMBER(2, "id", FACT_BESIDE),
    MEMBER(2, "ok", FACT_OK),
};
static const struct member of_3[] = {
    MEMBER(3, "err", FACT_TOLD),
    MEMBER(3, "msg", FACT_MESSAGE),
};
static const struct member of_4[] = {
    MEMBER(4, "data", FACT_DATA),   MEMBER(4, "data", FACT_ANSWER),   MEMBER(4, "text", FACT_ANSWER),
    MEMBER(4, "path", FACT_BESIDE), MEMBER(4, "code", FACT_ANY_CODE), MEMBER(4, "Code", FACT_ANY_CODE),
    MEMBER(4, "type", FACT_TYPE),   MEMBER(4, "done", FACT_DONE),     MEMBER(4, "stop", FACT_STOPPED),
    MEMBER(4, "name", FACT_NAME),
};
static const struct member of_5[] = {
    MEMBER(5, "error", FACT_ERROR),  MEMBER(5, "Error", FACT_TOLD),   MEMBER(5, "fault", FACT_TOLD),
    MEMBER(5, "title", FACT_BESIDE), MEMBER(5, "param", FACT_BESIDE), MEMBER(5, "state", FACT_STATE),
    MEMBER(5, "event", FACT_EVENT),
};
static const struct member of_6[] = {
    MEMBER(6, "errors", FACT_ERRORS), MEMBER(6, "__type", FACT_EXCEPTION),   MEMBER(6, "output", FACT_ANSWER),
    MEMBER(6, "result", FACT_ANSWER), MEMBER(6, "answer", FACT_ANSWER),      MEMBER(6, "images", FACT_ANSWER),
    MEMBER(6, "detail", FACT_WORDS),  MEMBER(6, "reason", FACT_REASON),      MEMBER(6, "object", FACT_BESIDE),
    MEMBER(6, "job_id", FACT_TICKET), MEMBER(6, "taskId", FACT_TICKET),      MEMBER(6, "status", FACT_STATUS),
    MEMBER(6, "object", FACT_OBJECT), MEMBER(6, "is_end", FACT_IS_FINISHED),
};
static const struct member of_7[] = {
    MEMBER(7, "choices", FACT_LIST),   MEMBER(7, "content", FACT_ANSWER),  MEMBER(7, "outputs", FACT_ANSWER),
    MEMBER(7, "results", FACT_ANSWER), MEMBER(7, "message", FACT_MESSAGE), MEMBER(7, "Message", FACT_WORDS),
    MEMBER(7, "task_id", FACT_TICKET), MEMBER(7, "success", FACT_SUCCESS),
};
static const struct member of_8[] = {
    MEMBER(8, "response", FACT_ANSWER),
    MEMBER(8, "instance", FACT_BESIDE),
    MEMBER(8, "trace_id", FACT_BESIDE),
};
static const struct member of_9[] = {
    MEMBER(9, "error_msg", FACT_TOLD),     MEMBER(9, "errorType", FACT_TOLD),
    MEMBER(9, "exception", FACT_TOLD),     MEMBER(9, "embedding", FACT_ANSWER),
    MEMBER(9, "timestamp", FACT_BESIDE),   MEMBER(9, "requestId", FACT_BESIDE),
    MEMBER(9, "RequestId", FACT_BESIDE),   MEMBER(9, "base_resp", FACT_BESIDE),
    MEMBER(9, "errorCode", FACT_ANY_CODE), MEMBER(9, "ErrorCode", FACT_ANY_CODE),
};
static const struct member of_10[] = {
    MEMBER(10, "error_type", FACT_TOLD),       MEMBER(10, "candidates", FACT_LIST),
    MEMBER(10, "embeddings", FACT_ANSWER),     MEMBER(10, "completion", FACT_ANSWER),
    MEMBER(10, "request_id", FACT_TICKET),     MEMBER(10, "stopReason", FACT_FINISH),
    MEMBER(10, "error_code", FACT_CODE),       MEMBER(10, "statusCode", FACT_ANY_CODE),
    MEMBER(10, "event_type", FACT_EVENT_TYPE), MEMBER(10, "status_url", FACT_JOB),
};
static const struct member of_11[] = {
    MEMBER(11, "generations", FACT_ANSWER),   MEMBER(11, "predictions", FACT_ANSWER),
    MEMBER(11, "description", FACT_BESIDE),   MEMBER(11, "done_reason", FACT_FINISH),
    MEMBER(11, "stop_reason", FACT_STOP),     MEMBER(11, "task_status", FACT_TASK_STATUS),
    MEMBER(11, "status_code", FACT_ANY_CODE), MEMBER(11, "is_finished", FACT_IS_FINISHED),
    MEMBER(11, "polling_url", FACT_JOB),
};
static const struct member of_12[] = {
    MEMBER(12, "errorMessage", FACT_TOLD),
};
static const struct member of_13[] = {
    MEMBER(13, "error_message", FACT_TOLD),
    MEMBER(13, "finish_reason", FACT_FINISH),
    MEMBER(13, "invocationArn", FACT_JOB),
};
static const struct member of_14[] = {
    MEMBER(14, "generated_text", FACT_ANSWER),
    MEMBER(14, "generated_text", FACT_GENERATED),
    MEMBER(14, "promptFeedback", FACT_BESIDE),
};
static const struct member of_15[] = {
    MEMBER(15, "workflow_run_id", FACT_WORKFLOW),
};
static const struct member of_17[] = {
    MEMBER(17, "processing_status", FACT_TASK_STATUS),
};
#define OF(len)                                                                                              \
  {                                                                                                          \
    of_##len, COUNT(of_##len)                                                                                \
  }
static const struct {
  const struct member *first;
  size_t count;
} members[] = {[2] = OF(2),   [3] = OF(3),   [4] = OF(4),   [5] = OF(5),   [6] = OF(6),
               [7] = OF(7),   [8] = OF(8),   [9] = OF(9),   [10] = OF(10), [11] = OF(11),
               [12] = OF(12), [13] = OF(13), [14] = OF(14), [15] = OF(15), [17] = OF(17)};

/* And what is deeper in it; `*` is an element of an array. A way has four words at most, and begins at the root of a
 * document; take_value() compares one of them at each depth. */
#define WAY(fact, first, ...)                                                                                \
  {                                                                                                          \
    {first, __VA_ARGS__}, sizeof(first) - 1, fact                                                            \
  }
static const struct {
  const char *path[DOCUMENT_DEPTH];
  unsigned char len; /* of the first */
  enum fact fact;
} facts[] = {
    WAY(FACT_ERROR_WORDS, "error", "message"),
    WAY(FACT_ERROR_WORDS, "error", "code"),
    WAY(FACT_ERROR_WORDS, "data", "error", "message"),
    WAY(FACT_ERROR_WORDS, "result", "error", "message"),
    WAY(FACT_ERROR, "response", "error"),
    WAY(FACT_ERROR, "Response", "Error"),
    WAY(FACT_CODE, "Response", "ErrorMsg", "Code"),
    WAY(FACT_ERROR, "ResponseMetadata", "Error"),
    WAY(FACT_EXCEPTION, "Output", "__type"),
    WAY(FACT_CHOICE, "choices", "*"),
    WAY(FACT_CHOICE_INDEX, "choices", "*", "index"),
    WAY(FACT_ERROR, "choices", "*", "error"),
    WAY(FACT_ERROR, "delta", "error"),  /* Cohere v2, in message-end */
    WAY(FACT_ERROR, "x_groq", "error"), /* Groq, streamed */
    WAY(FACT_CHOICE_FINISH, "choices", "*", "finish_reason"),
    WAY(FACT_FINISH, "delta", "finish_reason"),
    WAY(FACT_FINISH, "delta", "stop_reason"),
    WAY(FACT_FINISH, "details", "finish_reason"),
    WAY(FACT_FINISH, "meta_info", "finish_reason", "type"),
    WAY(FACT_OVER, "output", "finish_reason"), /* DashScope */
    WAY(FACT_OVER, "output", "choices", "*", "finish_reason"),
    WAY(FACT_OVER, "results", "*", "stop_reason"),  /* watsonx */
    WAY(FACT_OVER, "Choices", "*", "FinishReason"), /* Hunyuan */
    WAY(FACT_STATUS, "response", "status"),
    WAY(FACT_TASK_STATUS, "output", "task_status"),
    WAY(FACT_TASK_STATUS, "data", "task_status"),
    WAY(FACT_TASK_STATUS, "inference_status", "status"),
    WAY(FACT_STATE, "metadata", "state"),
    WAY(FACT_WORKFLOW_STATUS, "data", "status"),
    WAY(FACT_DATA_WORDS, "data", "message"),
    WAY(FACT_DATA_TICKET, "data", "taskId"),
    WAY(FACT_DATA_TICKET, "data", "task_id"),
    WAY(FACT_INCOMPLETE_REASON, "incomplete_details", "reason"),
    WAY(FACT_INCOMPLETE_REASON, "response", "incomplete_details", "reason"),
    WAY(FACT_FINISH, "artifacts", "*", "finishReason"), /* Stability */
    WAY(FACT_CODE, "base_resp", "status_code"),
    WAY(FACT_CODE, "header", "code"),
    WAY(FACT_CANDIDATE, "candidates", "*"),
    WAY(FACT_CHOICE_INDEX, "candidates", "*", "index"),
    WAY(FACT_CANDIDATE_FINISH, "candidates", "*", "finishReason"),
    WAY(FACT_BLOCKED, "promptFeedback", "blockReason"),
};
_Static_assert(COUNT(facts) <= 64, "a bit for each");

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
    {"x_groq", "usage"},                  /* Groq, streamed */
    {"metadata", "usage"},                /* Nova, streamed by Bedrock */
    {"amazon-bedrock-invocationMetrics"}, /* in the last event of any model there */
    {NULL},                               /* Ollama has them beside the answer */
};
_Static_assert(COUNT(places) == DOCUMENT_PLACES, "a row for each");

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

static bool is_one_of(struct idem_span text, const char *const *words, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (json_string_is(text, words[i], strlen(words[i])))
      return true;
  return false;
}

/* The same without regard to case, for words that no escape is in. */
static bool is_state(struct idem_span text, const char *const *words, size_t count)
{
  const char *prefix = text.len ? memmem(text.data, text.len, "_STATE_", 7) : NULL;
  if (prefix)
    text = (struct idem_span){prefix + 7, text.len - (size_t)(prefix + 7 - text.data)};
  for (size_t i = 0; i < count; i++)
    if (text.len == strlen(words[i]) && strncasecmp(text.data, words[i], text.len) == 0)
      return true;
  return false;
}

static bool begins_as_one_of(struct idem_span text, const char *const *words, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (text.len >= strlen(words[i]) && memcmp(text.data, words[i], strlen(words[i])) == 0)
      return true;
  return false;
}

/* The words of a row are parted by spaces. */
static bool is_end(struct idem_span text)
{
  for (size_t i = 0; i < COUNT(ends); i++)
    for (const char *word = ends[i]; *word;) {
      size_t len = strcspn(word, " ");
      if (json_string_is(text, word, len))
        return true;
      word += len + (word[len] == ' ');
    }
  return false;
}

bool document_is_failure(struct idem_span name)
{
  return is_state(name, failures, COUNT(failures));
}

bool document_is_end(struct idem_span name)
{
  return is_end(name);
}

bool document_is_over(struct idem_span name)
{
  return is_one_of(name, loose_ends, COUNT(loose_ends));
}

bool document_choices_over(const struct document_choices *choices)
{
  return (choices->begun[0] || choices->begun[1]) && choices->begun[0] == choices->over[0] &&
         choices->begun[1] == choices->over[1];
}

bool document_choices_awaited(const struct document_choices *choices)
{
  return (choices->awaited[0] & ~choices->over[0]) || (choices->awaited[1] & ~choices->over[1]);
}

bool document_choices_differ(const struct document_choices *choices)
{
  return (choices->over[0] || choices->over[1]) && !document_choices_over(choices);
}

/* Counts and codes are whole numbers, so it does no harm that strtod() stops at the point in an app whose
 * locale has a comma. -1: longer than a number of these may be, negative, or too large for one. */
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

/* `escaped`: there are backslashes in the name, which is seldom. */
static inline bool is_called(struct idem_span name, bool escaped, const char *word, size_t len)
{
  if (escaped)
    return json_string_is(name, word, len);
  return name.len == len && *name.data == *word && memcmp(name.data, word, len) == 0;
}

/* The same where the row has no length: that is not counted unless the first letter is right. */
static inline bool is_word(struct idem_span name, bool escaped, const char *word)
{
  return (escaped || *name.data == *word) && is_called(name, escaped, word, strlen(word));
}

static void take_count(struct document_reader *reader, size_t depth, bool escaped)
{
  struct idem_span name = reader->cursor.name;
  for (size_t i = 0; i < COUNT(counts); i++) {
    if (!is_word(name, escaped, counts[i].name))
      continue;
    for (size_t j = 0; j < COUNT(places); j++) {
      /* A place whose way ends with the container that this number is a member of. */
      bool at_root = !places[j][0], ends_here = depth > 3 || !places[j][depth - 1];
      if (counts[i].at_root != at_root || !ends_here || !(reader->places[depth - 1] >> j & 1))
        continue;
      if (!reader->counted)
        memset(reader->count, -1, sizeof(reader->count));
      reader->counted |= (uint32_t)1 << j;
      reader->count[j][i] = number(reader->cursor.text);
    }
  }
}

/* "network_error", "ERROR_TOXIC". */
static bool says_error(struct idem_span text)
{
  for (size_t i = 0; i + 5 <= text.len; i++)
    if (strncasecmp(text.data + i, "error", 5) == 0)
      return true;
  return false;
}

/* Why a choice, or all of it, is over; false if it is not. */
static bool take_reason(struct document_reader *reader, struct idem_span reason)
{
  struct document *document = reader->document;
  if (is_state(reason, unfinished, COUNT(unfinished)))
    return false;
  document->choices.reasons++;
  document->choices.lengths += is_state(reason, lengths, COUNT(lengths));
  document->failed |= says_error(reason) || is_state(reason, broken, COUNT(broken));
  return true;
}

/* Also nothing at all. */
static bool is_digits(struct idem_span text)
{
  size_t digits = 0;
  while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
    digits++;
  return digits == text.len;
}

/* A word such as "Throttling.RateQuota" or a number, in quotes or not, that is no success. */
static bool is_failing_code(struct idem_span text, enum cursor_event event)
{
  int64_t value = number(text);
  if (event == CURSOR_NUMBER || (event == CURSOR_STRING && is_digits(text)))
    return text.len && value != 0 && !(value >= 200 && value < 300);
  if (event != CURSOR_STRING || text.len > 64 || is_state(text, successes, COUNT(successes)))
    return false;
  for (size_t i = 0; i < text.len; i++)
    if (strchr(" ()=;:\"", text.data[i]))
      return false;
  return true;
}

/* What RFC 9457 has in `type`: an address that names the kind of problem. */
static bool is_address(struct idem_span text)
{
  static const char *const schemes[] = {"https://", "http://", "urn:"};
  for (size_t i = 0; i < COUNT(schemes); i++)
    if (text.len > strlen(schemes[i]) && memcmp(text.data, schemes[i], strlen(schemes[i])) == 0)
      return true;
  return false;
}

static bool ends_as_an_exception(struct idem_span name)
{
  static const char *const endings[] = {"exception", "error", "fault"};
  for (size_t i = 0; i < COUNT(endings); i++) {
    size_t len = strlen(endings[i]);
    if (name.len >= len && strncasecmp(name.data + name.len - len, endings[i], len) == 0)
      return true;
  }
  return false;
}

/* Of more than 128 choices the rest is not followed; nobody asks for as many. */
static void end_choice(struct document_reader *reader)
{
  struct document_choices *choices = reader->choices;
  reader->choices = NULL;
  if (reader->choice >= 128)
    return;
  uint64_t bit = (uint64_t)1 << reader->choice % 64;
  choices->begun[reader->choice / 64] |= bit;
  if (choices == &reader->document->candidates)
    choices->over[reader->choice / 64] &= ~bit;
  if (reader->choice_over)
    choices->over[reader->choice / 64] |= bit;
  if (reader->choice_awaited)
    choices->awaited[reader->choice / 64] |= bit;
}

static void take_status(struct document_reader *reader, enum cursor_event event, bool nested)
{
  struct document *document = reader->document;
  struct idem_span text = reader->cursor.text;
  reader->incomplete |= event == CURSOR_STRING && is_state(text, lengths, COUNT(lengths));
  document->failed |= event == CURSOR_STRING && is_state(text, failed_states, COUNT(failed_states));
  /* `response` in an event tells how the whole call stands by then: in_progress there is no job. */
  if (nested)
    return;
  if (event == CURSOR_NUMBER)
    reader->told |= number(text) >= 400 && number(text) < 600;
  if (event != CURSOR_STRING)
    return;
  document->job |= is_state(text, job_states, COUNT(job_states));
  reader->created |= is_state(text, begun_states, COUNT(begun_states));
  reader->told |= is_state(text, refused_states, 1);
  reader->code |= is_state(text, refused_states, COUNT(refused_states));
}

/* Something but null, false, 0 and "". */
static bool says_something(enum cursor_event event, struct idem_span text)
{
  return (event == CURSOR_STRING && text.len) || (event == CURSOR_NUMBER && number(text) != 0) ||
         (event == CURSOR_WORD && *text.data == 't');
}

/* The same of an error: "0" and "SUCCESS" say that there is none. */
static bool says_failure(enum cursor_event event, struct idem_span text)
{
  bool none =
      event == CURSOR_STRING && (json_string_is(text, "0", 1) || is_state(text, successes, COUNT(successes)));
  return says_something(event, text) && !none;
}

/* An `error` is one if it says something, or something in it does. */
static void take_error(struct document_reader *reader, size_t depth)
{
  reader->told = reader->blamed = reader->document->error = true;
  reader->document->failed |= depth > 1;
}

/* It only notes what is there; what depends on other members is weighed by end_document(), for they come in any
 * order. So are `told` and `answered`: an error at the top is a failure only where no answer is beside it, since
 * some send the member always. One of a choice or of a delta is a failure by itself. */
static void take_fact(struct document_reader *reader, enum fact fact, enum cursor_event event, size_t depth)
{
  struct document *document = reader->document;
  struct idem_span text = reader->cursor.text;
  bool string = event == CURSOR_STRING, object = event == CURSOR_OBJECT, list = event == CURSOR_ARRAY;
  bool is_true = event == CURSOR_WORD && *text.data == 't',
       is_false = event == CURSOR_WORD && *text.data == 'f';
  bool says = says_something(event, text);
  switch (fact) {
  case FACT_ERROR:
    if (object || list)
      reader->error_depth = depth;
    if (says_failure(event, text))
      take_error(reader, depth);
    break;
  case FACT_ERRORS:
  case FACT_TOLD:
    reader->told |= says_failure(event, text);
    reader->blamed |= says_failure(event, text);
    reader->opened_list = object || list;
    break;
  case FACT_ERROR_WORDS:
    document->failed |= says_failure(event, text);
    break;
  case FACT_EXCEPTION:
    reader->told |= string && ends_as_an_exception(text);
    break;
  case FACT_WORDS:
    reader->spoken |= object || list;
    reader->worded |= object || list;
    /* fall through */
  case FACT_MESSAGE:
    reader->opened = object && fact == FACT_MESSAGE;
    reader->worded |= string;
    reader->spoken |= string && text.len;
    break;
  case FACT_REASON:
    document->broken |= string && (is_state(text, failures, 1) || is_state(text, broken, COUNT(broken)));
    break;
  case FACT_BESIDE:
    break;
  case FACT_LIST:
    reader->listed = true;
    reader->choice_position = 0;
    /* fall through */
  case FACT_ANSWER:
    reader->opened = object || list;
    reader->expected |= event == CURSOR_WORD && *text.data == 'n';
    reader->answered |= says || is_false || event == CURSOR_NUMBER;
    break;
  case FACT_CHOICE:
  case FACT_CANDIDATE:
    /* By position, until its `index` says otherwise: a stream's events may have any one choice as their only
     * one. */
    reader->choice = reader->choice_position++;
    reader->choice_over = reader->choice_awaited = false;
    reader->choices = !object ? NULL : fact == FACT_CANDIDATE ? &document->candidates : &document->choices;
    reader->candidates += fact == FACT_CANDIDATE;
    break;
  case FACT_CHOICE_INDEX:
    if (event == CURSOR_NUMBER && number(text) >= 0)
      reader->choice = (size_t)number(text);
    break;
  case FACT_CHOICE_FINISH:
    reader->choice_over = string && take_reason(reader, text);
    reader->choice_awaited = !reader->choice_over;
    break;
  case FACT_FINISH:
    if (string)
      take_reason(reader, text);
    break;
  case FACT_OVER: {
    bool over = string && take_reason(reader, text);
    document->over |= over;
    document->goes_on |= !over;
    break;
  }
  case FACT_STOP:
    reader->stopped = string;
    if (string)
      take_reason(reader, text);
    break;
  case FACT_STATUS:
    /* "429" is the number. */
    if (string && text.len && is_digits(text)) {
      event = CURSOR_NUMBER;
      string = false;
    }
    take_status(reader, event, depth > 1);
    reader->status_word |= string;
    reader->status_number |= event == CURSOR_NUMBER;
    break;
  case FACT_STATE:
    if (reader->base)
      break;
    reader->told |= string && is_state(text, failed_states, COUNT(failed_states));
    reader->operation |= string && is_state(text, job_states, COUNT(job_states));
    break;
  case FACT_TASK_STATUS:
    document->failed |= string && (is_state(text, failed_states, COUNT(failed_states)) ||
                                   is_state(text, refused_states, COUNT(refused_states)));
    document->job |= string && is_state(text, job_states, COUNT(job_states));
    break;
  case FACT_OBJECT:
    if (string && is_one_of(text, failures, 1))
      document->failed = document->error = true;
    break;
  case FACT_CODE:
    if ((event == CURSOR_NUMBER && number(text) != 0) ||
        (string && text.len && !json_string_is(text, "0", 1)))
      document->failed = document->error = true;
    break;
  case FACT_ANY_CODE:
    *(event == CURSOR_NUMBER || is_digits(text) ? &reader->code : &reader->code_word) |=
        is_failing_code(text, event);
    reader->other |= (string || event == CURSOR_NUMBER) && !is_failing_code(text, event);
    break;
  case FACT_SUCCESS:
    reader->told |= is_false;
    reader->denied |= is_false;
    reader->other |= is_true;
    break;
  case FACT_OK:
    reader->code |= is_false;
    reader->other |= is_true;
    break;
  case FACT_EVENT:
    document->over |= string && document_is_over(text);
    document->error |= string && document_is_failure(text);
    reader->workflow_event |= string;
    reader->workflow_over |= string && json_string_is(text, "workflow_finished", 17);
    break;
  case FACT_EVENT_TYPE:
  case FACT_TYPE:
    /* Of an end `type` has the say where both are there; a failure is one by either. */
    reader->typed |= fact == FACT_TYPE;
    if (fact == FACT_TYPE || !reader->typed) {
      reader->end_typed = string && is_end(text);
      /* Anthropic's text completions: each event has a stop_reason, which is null up to the last. */
      reader->completion = string && json_string_is(text, "completion", 10);
    }
    document->goes_on |= string && is_one_of(text, between, COUNT(between));
    document->owes |= string && begins_as_one_of(text, owing, COUNT(owing));
    document->over |= string && document_is_over(text);
    if (string && document_is_failure(text))
      take_error(reader, depth);
    document->error |= string && is_one_of(text, aborted, COUNT(aborted));
    reader->told |= string && json_string_is(text, "about:blank", 11);
    reader->code_word |= string && is_address(text);
    reader->other |= string && !is_address(text) && !says_error(text);
    break;
  case FACT_STOPPED:
    document->over |= is_true;
    document->goes_on |= is_false;
    break;
  case FACT_GENERATED:
    document->over |= string;
    break;
  case FACT_IS_FINISHED:
  case FACT_DONE:
    reader->done |= is_true;
    document->goes_on |= is_false;
    break;
  case FACT_NAME:
    /* Google's long-running operations: {"name": "operations/...", "done": false}. */
    reader->operation |= string && memmem(text.data, text.len, "operations/", 11);
    break;
  case FACT_JOB:
    reader->operation |= string;
    break;
  case FACT_TICKET:
    reader->ticket |= string && text.len;
    break;
  case FACT_DATA:
    reader->in_data = object;
    break;
  case FACT_DATA_TICKET:
    reader->data_tickets += string && text.len;
    break;
  case FACT_DATA_WORDS:
    reader->blamed |= string && text.len;
    break;
  case FACT_INCOMPLETE_REASON:
    reader->filtered |= string && !is_state(text, lengths, COUNT(lengths));
    break;
  case FACT_WORKFLOW:
    reader->workflow |= string;
    reader->other |= string;
    break;
  case FACT_WORKFLOW_STATUS:
    reader->workflow_failed |= string && is_one_of(text, failed_workflows, COUNT(failed_workflows));
    break;
  case FACT_CANDIDATE_FINISH:
    reader->choice_over = string && take_reason(reader, text);
    break;
  case FACT_BLOCKED:
    reader->blocked = string && !is_one_of(text, unblocked, COUNT(unblocked));
    break;
  }
}

/* False: no row has this name. */
static bool take_member(struct document_reader *reader, enum cursor_event event, bool escaped)
{
  struct idem_span name = reader->cursor.name;
  bool known = false;
  for (size_t len = escaped ? 0 : name.len; len < COUNT(members) && (escaped || len == name.len); len++)
    for (size_t i = 0; i < members[len].count; i++)
      if (is_called(name, escaped, members[len].first[i].name, len)) {
        known = true;
        take_fact(reader, members[len].first[i].fact, event, 1);
      }
  return known;
}

/* Finds the rows that lead here, and takes what they say. */
static void take_value(struct document_reader *reader, enum cursor_event event, size_t depth)
{
  struct idem_span name = reader->cursor.name;
  bool escaped = name.data && memchr(name.data, '\\', name.len);
  reader->in_data &= depth > 1;
  reader->data_members += depth == 2 && reader->in_data;
  bool known = depth == 1 && name.data && take_member(reader, event, escaped);
  uint64_t on_way = 0;
  reader->places[depth] = 0;
  bool is_null = event == CURSOR_WORD && *reader->cursor.text.data == 'n';
  reader->other |= depth == 1 && !known && !is_null;
  for (uint64_t left = reader->facts[depth - 1]; left; left &= left - 1) {
    size_t i = (size_t)__builtin_ctzll(left);
    if (depth == 1 && !escaped && facts[i].len != name.len)
      continue;
    const char *word = facts[i].path[depth - 1];
    if (!word || (*word == '*' ? name.data != NULL : !name.data || !is_word(name, escaped, word)))
      continue;
    on_way |= (uint64_t)1 << i;
    if (depth == DOCUMENT_DEPTH || !facts[i].path[depth])
      take_fact(reader, facts[i].fact, event, depth);
  }
  reader->facts[depth] = on_way;
  if (!name.data)
    return;
  for (uint32_t left = reader->places[depth - 1]; left && depth <= 3; left &= left - 1) {
    size_t j = (size_t)__builtin_ctz(left);
    const char *word = places[j][depth - 1];
    if (word && is_word(name, escaped, word))
      reader->places[depth] |= (uint32_t)1 << j;
  }
  if (event == CURSOR_NUMBER)
    take_count(reader, depth, escaped);
}

/* Places in ascending order, each over the one before it; within one, the first name of a kind that is there,
 * so that what is reported under two names counts once. */
static void end_counts(struct document_reader *reader)
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

/* Not `count`: most events have none, and it is larger than all the rest. take_count() clears it. */
static void begin_document(struct document_reader *reader)
{
  memset(&reader->answered, 0,
         offsetof(struct document_reader, count) - offsetof(struct document_reader, answered));
  reader->facts[0] = UINT64_MAX >> (64 - COUNT(facts));
  reader->places[0] = ((uint32_t)1 << COUNT(places)) - 1;
}

static void end_document(struct document_reader *reader)
{
  struct document *document = reader->document;
  /* By now every member has been seen, and only now what one of them is worth beside the others is weighed: they
   * come in any order. Beside a status of success even words alone are an answer. */
  reader->other |=
      (reader->status_word && !reader->code && !document->failed) || (reader->status_number && !reader->told);
  /* A refusal of Gemini's is a blockReason without candidates, and is the answer. */
  reader->told |= reader->worded && (reader->code || (reader->code_word && !reader->other));
  document->failed |= reader->denied && (reader->blamed || reader->worded);
  /* A node of Dify's may fail, and the run go on by another way. */
  document->failed |=
      reader->workflow_failed && (reader->workflow_over || (reader->workflow && !reader->workflow_event));
  if (reader->incomplete) {
    document->choices.reasons++;
    document->choices.lengths += !reader->filtered;
  }
  document->failed |= reader->told && !reader->answered;
  /* A list of records is whole, whatever one of them has. */
  document->words |= reader->spoken && !reader->answered && !reader->other && !reader->base;
  document->empty |=
      reader->listed && !reader->answered && !reader->blocked && !reader->base && !document->several;
  document->job |= reader->operation && !reader->answered && !reader->done;
  document->job |= reader->created && reader->expected && !reader->answered;
  document->job |= reader->data_tickets && reader->data_tickets == reader->data_members && !reader->base;
  document->job |= reader->ticket && !reader->answered && !reader->other && !reader->spoken && !reader->base;
  document->ended = reader->end_typed || reader->done || (reader->completion && reader->stopped);
  document->goes_on |= reader->completion && !reader->stopped;
  document->answers |= reader->answered || reader->listed || reader->blocked;
  if (reader->candidates || reader->blocked) {
    document->ended = reader->blocked || document_choices_over(&document->candidates);
    document->goes_on = !document->ended;
  }
  end_counts(reader);
}

void document_begin(struct document_reader *reader, struct document *document)
{
  *document = (struct document){
      .usage = document->usage, .choices = document->choices, .candidates = document->candidates};
  reader->document = document;
  reader->begun = reader->bad = reader->closed = false;
  reader->base = 0;
}

static void take_event(struct document_reader *reader, enum cursor_event event)
{
  struct document *document = reader->document;
  size_t depth = reader->cursor.depth;
  reader->closed = depth == 0 && event == CURSOR_CLOSE;
  if (depth == 0 && event != CURSOR_CLOSE) {
    document->container = event == CURSOR_ARRAY || event == CURSOR_OBJECT;
    reader->base = event == CURSOR_ARRAY;
    begin_document(reader);
  }
  document->filled |= depth > 0 && event != CURSOR_CLOSE;
  if (depth < reader->base)
    return;
  depth -= reader->base;
  /* What the last event began has something in it, for this is not its end: an answer that is [] or {} is
   * none. */
  if (event != CURSOR_CLOSE) {
    reader->answered |= reader->opened;
    reader->told |= reader->opened_list;
    reader->blamed |= reader->opened_list;
  }
  reader->opened = reader->opened_list = false;
  if (event == CURSOR_CLOSE && depth <= reader->error_depth)
    reader->error_depth = 0;
  else if (event != CURSOR_CLOSE && reader->error_depth && depth == reader->error_depth + 1 &&
           (event == CURSOR_OBJECT || event == CURSOR_ARRAY || says_failure(event, reader->cursor.text)))
    take_error(reader, reader->error_depth);
  if (event == CURSOR_CLOSE && depth == 2 && reader->choices)
    end_choice(reader);
  if (depth == 0 && (event == CURSOR_ARRAY || event == CURSOR_OBJECT))
    begin_document(reader);
  else if (depth == 0)
    end_document(reader);
  else if (depth <= DOCUMENT_DEPTH && event != CURSOR_CLOSE)
    take_value(reader, event, depth);
}

static enum cursor_event next_event(struct document_reader *reader)
{
  struct document *document = reader->document;
  if (reader->closed && json_cursor_next_text(&reader->cursor)) {
    document->several = true;
    document->ended = document->goes_on = document->job = document->empty = document->words = false;
  }
  return json_cursor_next(&reader->cursor);
}

size_t document_feed(struct document_reader *reader, struct idem_span text, bool last)
{
  struct json_cursor *cursor = &reader->cursor;
  enum cursor_event event;
  if (reader->bad) {
    if (last)
      json_cursor_release(cursor);
    return text.len;
  }
  /* A byte order mark is not seen in pieces. */
  if (!reader->begun && text.len < 3 && !last)
    return 0;
  if (!reader->begun)
    json_cursor_init(cursor, text);
  else
    json_cursor_feed(cursor, text, last);
  cursor->more = true;
  reader->begun = true;
  while ((event = next_event(reader)) > CURSOR_END)
    take_event(reader, event);
  reader->bad = event == CURSOR_BAD;
  if (last && !reader->bad) {
    /* Nothing was wrong but that the text might have gone on. */
    cursor->more = false;
    while ((event = next_event(reader)) > CURSOR_END)
      take_event(reader, event);
    reader->document->cut = event == CURSOR_BAD;
  }
  if (last)
    reader->document->json = json_cursor_release(cursor);
  return reader->bad ? text.len : (size_t)(cursor->at - text.data);
}

void document_abandon(struct document_reader *reader)
{
  if (reader->begun)
    json_cursor_release(&reader->cursor);
}

void document_read(struct idem_span text, struct document *document)
{
  struct document_reader reader;
  document_begin(&reader, document);
  document_feed(&reader, text, true);
}
