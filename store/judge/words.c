/* SPDX-License-Identifier: MIT */
#include "store/judge/words.h"

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

/* Asked for alone, in `status` and `object`. */
static const char *const error[] = {"error"};
/* In the events that break it off, and in one that comes between several ends. */
static const char *const failures[] = {"error",          "exception",          "response.failed",
                                       "response.error", "response.cancelled", "conversation.response.error"};
/* Ends in words that may stand for the end of less than the stream. */
static const char *const loose_ends[] = {"done",          "end",      "complete",    "completed",
                                         "finish",        "finished", "message_end", "workflow_finished",
                                         "response.done", "chat.end"};
/* A part of a stream of the AI SDK's; of a document it says nothing. */
static const char *const aborted[] = {"abort"};
static const char *const between[] = {"image_generation.partial_image", "image_edit.partial_image"};
/* How `type` begins in the events of streams that end in words of their own, each of them up to the end. */
static const char *const owing[] = {"response.",      "conversation.response.", "message_start",
                                    "content_block_", "message-start",          "chat.start"};

/* What `object` is where the answer stands in `choices`. */
static const char *const completions[] = {"chat.completion", "chat.completion.chunk", "text_completion"};

/* `status` and its like, in any case of letters, and without what Google writes before
 * them (JOB_STATE_FAILED). */
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
/* The same where the answer is there as a null: of a thing that is not waited for it
 * says that it is there. */
static const char *const begun_states[] = {"created"};
/* Why something is over, where it is over for no reason of the answer's own. What has "error"
 * in it is one of them. */
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

#define LIST(words)                                                                                          \
  {                                                                                                          \
    words, COUNT(words)                                                                                      \
  }
static const struct {
  const char *const *words;
  size_t count;
} lists[] = {
    [WORDS_ERROR] = LIST(error),
    [WORDS_FAILURES] = LIST(failures),
    [WORDS_LOOSE_ENDS] = LIST(loose_ends),
    [WORDS_ABORTED] = LIST(aborted),
    [WORDS_BETWEEN] = LIST(between),
    [WORDS_OWING] = LIST(owing),
    [WORDS_COMPLETIONS] = LIST(completions),
    [WORDS_FAILED_STATES] = LIST(failed_states),
    [WORDS_FAILED_WORKFLOWS] = LIST(failed_workflows),
    [WORDS_REFUSED_STATES] = LIST(refused_states),
    [WORDS_JOB_STATES] = LIST(job_states),
    [WORDS_BEGUN_STATES] = LIST(begun_states),
    [WORDS_BROKEN] = LIST(broken),
    [WORDS_UNFINISHED] = LIST(unfinished),
    [WORDS_UNBLOCKED] = LIST(unblocked),
    [WORDS_SUCCESSES] = LIST(successes),
    [WORDS_LENGTHS] = LIST(lengths),
};

bool words_have(enum words list, struct idem_span text)
{
  for (size_t i = 0; i < lists[list].count; i++)
    if (json_string_is(text, lists[list].words[i], strlen(lists[list].words[i])))
      return true;
  return false;
}

bool words_have_state(enum words list, struct idem_span text)
{
  const char *prefix = text.len ? memmem(text.data, text.len, "_STATE_", 7) : NULL;
  if (prefix)
    text = (struct idem_span){prefix + 7, text.len - (size_t)(prefix + 7 - text.data)};
  for (size_t i = 0; i < lists[list].count; i++)
    if (text.len == strlen(lists[list].words[i]) &&
        strncasecmp(text.data, lists[list].words[i], text.len) == 0)
      return true;
  return false;
}

bool words_end_as_a_state(enum words list, struct idem_span text)
{
  for (size_t at = 0; at < text.len; at++)
    if ((at == 0 || strchr("_-", text.data[at - 1])) &&
        words_have_state(list, (struct idem_span){text.data + at, text.len - at}))
      return true;
  return false;
}

bool words_begin(enum words list, struct idem_span text)
{
  for (size_t i = 0; i < lists[list].count; i++)
    if (text.len >= strlen(lists[list].words[i]) &&
        memcmp(text.data, lists[list].words[i], strlen(lists[list].words[i])) == 0)
      return true;
  return false;
}

/* The words of a row are parted by spaces. */
bool words_are_an_end(struct idem_span text)
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

/* Counts and codes are whole numbers, so it does no harm that strtod() stops at the point in an app whose
 * locale has a comma. -1: longer than a number of these may be, negative, or too large for one. */
int64_t words_number(struct idem_span text)
{
  char digits[32];
  int64_t whole = 0;
  if (text.len >= sizeof(digits))
    return -1;
  if (text.len < 16 && words_are_digits(text)) {
    for (size_t i = 0; i < text.len; i++)
      whole = whole * 10 + (text.data[i] - '0');
    return whole;
  }
  memcpy(digits, text.data, text.len);
  digits[text.len] = '\0';
  double real = strtod(digits, NULL);
  return real >= 0 && real < 1e15 ? (int64_t)real : -1;
}

/* "network_error", "ERROR_TOXIC". */
bool words_say_error(struct idem_span text)
{
  for (size_t i = 0; i + 5 <= text.len; i++)
    if (strncasecmp(text.data + i, "error", 5) == 0)
      return true;
  return false;
}

/* Also nothing at all. */
bool words_are_digits(struct idem_span text)
{
  size_t digits = 0;
  while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
    digits++;
  return digits == text.len;
}

/* A word such as "Throttling.RateQuota" or a number, in quotes or not, that is no success. */
bool words_are_a_failing_code(struct idem_span text, enum cursor_event event)
{
  int64_t value = words_number(text);
  if (event == CURSOR_NUMBER || (event == CURSOR_STRING && words_are_digits(text)))
    return text.len && value != 0 && !(value >= 200 && value < 300);
  if (event != CURSOR_STRING || text.len > 64 || words_have_state(WORDS_SUCCESSES, text))
    return false;
  for (size_t i = 0; i < text.len; i++)
    if (strchr(" ()=;:\"", text.data[i]))
      return false;
  return true;
}

/* What RFC 9457 has in `type`: an address that names the kind of problem. */
bool words_are_an_address(struct idem_span text)
{
  static const char *const schemes[] = {"https://", "http://", "urn:"};
  for (size_t i = 0; i < COUNT(schemes); i++)
    if (text.len > strlen(schemes[i]) && memcmp(text.data, schemes[i], strlen(schemes[i])) == 0)
      return true;
  return false;
}

bool words_end_as_an_exception(struct idem_span name)
{
  static const char *const endings[] = {"exception", "error", "fault"};
  for (size_t i = 0; i < COUNT(endings); i++) {
    size_t len = strlen(endings[i]);
    if (name.len >= len && strncasecmp(name.data + name.len - len, endings[i], len) == 0)
      return true;
  }
  return false;
}

/* Something but null, false, 0 and "". */
bool words_say_something(enum cursor_event event, struct idem_span text)
{
  return (event == CURSOR_STRING && text.len) || (event == CURSOR_NUMBER && words_number(text) != 0) ||
         (event == CURSOR_WORD && *text.data == 't');
}

/* The same of an error: "0" and "SUCCESS" say that there is none. */
bool words_say_failure(enum cursor_event event, struct idem_span text)
{
  bool none =
      event == CURSOR_STRING && (json_string_is(text, "0", 1) || words_have_state(WORDS_SUCCESSES, text));
  return words_say_something(event, text) && !none;
}
