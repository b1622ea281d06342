/* SPDX-License-Identifier: MIT */
/*
 * The rows of both tables that may lead to a value are kept as one bit each, for every depth: the name of a
 * member is compared once, where it stands, and no text has to stay in its place for the ones below it.
 */
#include "store/judge/document.h"

#include "store/judge/counts.h"
#include "store/judge/facts.h"
#include "store/judge/words.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* Members of a document, by the length of their names: each one that a document has is held against those of
 * its own length, of which the first letter settles nearly all. The compiler counts them. */
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
    MEMBER(5, "event", FACT_EVENT),  MEMBER(5, "model", FACT_MODEL),  MEMBER(5, "token", FACT_TOKEN),
};
static const struct member of_6[] = {
    MEMBER(6, "errors", FACT_ERRORS), MEMBER(6, "__type", FACT_EXCEPTION),   MEMBER(6, "output", FACT_ANSWER),
    MEMBER(6, "result", FACT_ANSWER), MEMBER(6, "answer", FACT_ANSWER),      MEMBER(6, "images", FACT_ANSWER),
    MEMBER(6, "detail", FACT_WORDS),  MEMBER(6, "reason", FACT_REASON),      MEMBER(6, "object", FACT_BESIDE),
    MEMBER(6, "job_id", FACT_TICKET), MEMBER(6, "taskId", FACT_TICKET),      MEMBER(6, "status", FACT_STATUS),
    MEMBER(6, "object", FACT_OBJECT), MEMBER(6, "is_end", FACT_IS_FINISHED), MEMBER(6, "err_no", FACT_NUMBER),
};
static const struct member of_7[] = {
    MEMBER(7, "choices", FACT_LIST),   MEMBER(7, "content", FACT_ANSWER),  MEMBER(7, "outputs", FACT_ANSWER),
    MEMBER(7, "results", FACT_ANSWER), MEMBER(7, "message", FACT_MESSAGE), MEMBER(7, "Message", FACT_WORDS),
    MEMBER(7, "task_id", FACT_TICKET), MEMBER(7, "success", FACT_SUCCESS), MEMBER(7, "errcode", FACT_NUMBER),
};
static const struct member of_8[] = {
    MEMBER(8, "response", FACT_ANSWER),
    MEMBER(8, "instance", FACT_BESIDE),
    MEMBER(8, "trace_id", FACT_BESIDE),
    MEMBER(8, "err_code", FACT_NUMBER),
};
static const struct member of_9[] = {
    MEMBER(9, "error_msg", FACT_TOLD),     MEMBER(9, "errorType", FACT_TOLD),
    MEMBER(9, "exception", FACT_TOLD),     MEMBER(9, "embedding", FACT_ANSWER),
    MEMBER(9, "timestamp", FACT_BESIDE),   MEMBER(9, "requestId", FACT_BESIDE),
    MEMBER(9, "RequestId", FACT_BESIDE),   MEMBER(9, "base_resp", FACT_BESIDE),
    MEMBER(9, "errorCode", FACT_ANY_CODE), MEMBER(9, "ErrorCode", FACT_ANY_CODE),
    MEMBER(9, "errorCode", FACT_NUMBER),   MEMBER(9, "ErrorCode", FACT_NUMBER),
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
#define OF(rows)                                                                                             \
  {                                                                                                          \
    rows, COUNT(rows)                                                                                        \
  }
static const struct {
  const struct member *first;
  size_t count;
} members[] = {[2] = OF(of_2),   [3] = OF(of_3),   [4] = OF(of_4),   [5] = OF(of_5),   [6] = OF(of_6),
               [7] = OF(of_7),   [8] = OF(of_8),   [9] = OF(of_9),   [10] = OF(of_10), [11] = OF(of_11),
               [12] = OF(of_12), [13] = OF(of_13), [14] = OF(of_14), [15] = OF(of_15), [17] = OF(of_17)};

/* And what is deeper in it, by its first word; `*` is an element of an array. A way has four words at most,
 * and begins at the root of a document; take_value() compares one of them at each depth. The first ones stand
 * by their lengths, as the members do. */
struct way {
  const char *path[DOCUMENT_DEPTH - 1]; /* the words behind the first */
  enum fact fact;
};
#define WAYS(len, first, ...)                                                                                \
  {                                                                                                          \
    first,                                                                                                   \
        COUNT(((const struct way[]){__VA_ARGS__})) + 0 * sizeof(char[sizeof(first) - 1 == (len) ? 1 : -1]),  \
        (const struct way[])                                                                                 \
    {                                                                                                        \
      __VA_ARGS__                                                                                            \
    }                                                                                                        \
  }
struct ways {
  const char *first;
  size_t count;
  const struct way *way;
};
static const struct ways ways_of_4[] = {
    WAYS(4, "data", {{"error", "message"}, FACT_ERROR_WORDS}, {{"task_status"}, FACT_TASK_STATUS},
         {{"status"}, FACT_DATA_STATUS}, {{"message"}, FACT_DATA_WORDS}, {{"id"}, FACT_DATA_ID},
         {{"audio"}, FACT_DATA_AUDIO}, {{"last_error", "code"}, FACT_CODE}, {{"taskId"}, FACT_DATA_TICKET},
         {{"task_id"}, FACT_DATA_TICKET}), /* Dify, Coze, MiniMax and others */
};
static const struct ways ways_of_5[] = {
    WAYS(5, "error", {{"message"}, FACT_ERROR_WORDS}, {{"code"}, FACT_ERROR_WORDS}),
    WAYS(5, "delta", {{"error"}, FACT_ERROR}, {{"finish_reason"}, FACT_FINISH},
         {{"stop_reason"}, FACT_FINISH}), /* Cohere v2, Anthropic */
};
static const struct ways ways_of_6[] = {
    WAYS(6, "result", {{"error", "message"}, FACT_ERROR_WORDS}),
    WAYS(6, "Output", {{"__type"}, FACT_EXCEPTION}),
    WAYS(6, "x_groq", {{"error"}, FACT_ERROR}), /* Groq, streamed */
    WAYS(6, "output", {{"finish_reason"}, FACT_OVER}, {{"choices", "*", "finish_reason"}, FACT_OVER},
         {{"task_status"}, FACT_TASK_STATUS}), /* DashScope */
    WAYS(6, "header", {{"code"}, FACT_CODE}),
};
static const struct ways ways_of_7[] = {
    WAYS(7, "choices", {{"*"}, FACT_CHOICE}, {{"*", "index"}, FACT_CHOICE_INDEX},
         {{"*", "error"}, FACT_ERROR}, {{"*", "delta", "error"}, FACT_ERROR},
         {{"*", "message", "error"}, FACT_ERROR}, {{"*", "finish_reason"}, FACT_CHOICE_FINISH}),
    WAYS(7, "details", {{"finish_reason"}, FACT_FINISH}),
    WAYS(7, "results", {{"*", "stop_reason"}, FACT_OVER}),  /* watsonx */
    WAYS(7, "Choices", {{"*", "FinishReason"}, FACT_OVER}), /* Hunyuan */
};
static const struct ways ways_of_8[] = {
    WAYS(8, "response", {{"error"}, FACT_ERROR}, {{"status"}, FACT_STATUS},
         {{"incomplete_details", "reason"}, FACT_INCOMPLETE_REASON}),
    WAYS(8, "Response", {{"Error"}, FACT_ERROR}, {{"ErrorMsg", "Code"}, FACT_CODE}),
    WAYS(8, "metadata", {{"state"}, FACT_STATE}),
};
static const struct ways ways_of_9[] = {
    WAYS(9, "meta_info", {{"finish_reason", "type"}, FACT_FINISH}),
    WAYS(9, "artifacts", {{"*", "finishReason"}, FACT_FINISH}), /* Stability */
    WAYS(9, "base_resp", {{"status_code"}, FACT_CODE}),
};
static const struct ways ways_of_10[] = {
    WAYS(10, "candidates", {{"*"}, FACT_CANDIDATE}, {{"*", "index"}, FACT_CHOICE_INDEX},
         {{"*", "finishReason"}, FACT_CANDIDATE_FINISH}),
};
static const struct ways ways_of_11[] = {
    WAYS(11, "generations", {{"*", "finish_reason"}, FACT_FINISH}), /* Cohere's generate */
};
static const struct ways ways_of_14[] = {
    WAYS(14, "promptFeedback", {{"blockReason"}, FACT_BLOCKED}),
};
static const struct ways ways_of_16[] = {
    WAYS(16, "ResponseMetadata", {{"Error"}, FACT_ERROR}),
    WAYS(16, "inference_status", {{"status"}, FACT_TASK_STATUS}),
};
static const struct ways ways_of_18[] = {
    WAYS(18, "incomplete_details", {{"reason"}, FACT_INCOMPLETE_REASON}),
};
static const struct {
  const struct ways *first;
  size_t count;
} ways[] = {[4] = OF(ways_of_4),   [5] = OF(ways_of_5),   [6] = OF(ways_of_6),   [7] = OF(ways_of_7),
            [8] = OF(ways_of_8),   [9] = OF(ways_of_9),   [10] = OF(ways_of_10), [11] = OF(ways_of_11),
            [14] = OF(ways_of_14), [16] = OF(ways_of_16), [18] = OF(ways_of_18)};

bool document_is_failure(struct idem_span name)
{
  return words_have_state(WORDS_FAILURES, name);
}

bool document_is_end(struct idem_span name)
{
  return words_are_an_end(name);
}

bool document_is_over(struct idem_span name)
{
  return words_have(WORDS_LOOSE_ENDS, name);
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

/* False: no row has this name. */
static bool take_member(struct document_reader *reader, enum cursor_event event, bool escaped)
{
  struct idem_span name = reader->cursor.name;
  bool known = false;
  for (size_t len = escaped ? 0 : name.len; len < COUNT(members) && (escaped || len == name.len); len++)
    for (size_t i = 0; i < members[len].count; i++)
      if (words_are(name, escaped, members[len].first[i].name, len)) {
        known = true;
        facts_take(reader, members[len].first[i].fact, event, 1);
      }
  return known;
}

/* The ways that begin with the name of a member of the document. */
static const struct ways *find_ways(struct idem_span name, bool escaped)
{
  for (size_t len = escaped ? 0 : name.len; len < COUNT(ways) && (escaped || len == name.len); len++)
    for (size_t i = 0; i < ways[len].count; i++)
      if (words_are(name, escaped, ways[len].first[i].first, len))
        return &ways[len].first[i];
  return NULL;
}

/* Which of the ways that have led to the container of this value go on to it, a bit each; takes the fact
 * of one that ends here. */
static uint64_t go_on(struct document_reader *reader, enum cursor_event event, size_t depth, bool escaped)
{
  struct idem_span name = reader->cursor.name;
  uint64_t on_way = 0;
  for (uint64_t left = reader->ways_left[depth - 1]; left; left &= left - 1) {
    size_t i = (size_t)__builtin_ctzll(left);
    const struct way *way = &reader->ways->way[i];
    const char *word = way->path[depth - 2];
    if (!word || (*word == '*' ? name.data != NULL : !name.data || !words_are_all_of(name, escaped, word)))
      continue;
    on_way |= (uint64_t)1 << i;
    if (depth == DOCUMENT_DEPTH || !way->path[depth - 1])
      facts_take(reader, way->fact, event, depth);
  }
  return on_way;
}

/* Finds the rows that lead here, and takes what they say. */
static void take_value(struct document_reader *reader, enum cursor_event event, size_t depth)
{
  struct idem_span name = reader->cursor.name;
  bool escaped = name.data && memchr(name.data, '\\', name.len);
  reader->in_data &= depth > 1;
  reader->data_members += depth == 2 && reader->in_data;
  bool known = depth == 1 && name.data && take_member(reader, event, escaped);
  reader->places[depth] = 0;
  bool is_null = event == CURSOR_WORD && *reader->cursor.text.data == 'n';
  reader->other |= depth == 1 && !known && !is_null;
  if (depth > 1) {
    reader->ways_left[depth] = go_on(reader, event, depth, escaped);
  } else {
    reader->ways = name.data ? find_ways(name, escaped) : NULL;
    reader->ways_left[1] = reader->ways ? UINT64_MAX >> (64 - reader->ways->count) : 0;
  }
  if (!name.data)
    return;
  if (depth <= COUNTS_DEPTH && reader->places[depth - 1])
    counts_enter(reader, depth, escaped);
  if (event == CURSOR_NUMBER)
    counts_take(reader, depth, escaped);
}

/* Not `count`: most events have none, and it is larger than all the rest. counts_take() clears it. */
static void begin_document(struct document_reader *reader)
{
  memset(&reader->answered, 0,
         offsetof(struct document_reader, count) - offsetof(struct document_reader, answered));
  reader->places[0] = ((uint32_t)1 << DOCUMENT_PLACES) - 1;
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
           (event == CURSOR_OBJECT || event == CURSOR_ARRAY || words_say_failure(event, reader->cursor.text)))
    facts_take_error(reader, reader->error_depth);
  if (event == CURSOR_CLOSE && depth == 2 && reader->choices)
    facts_end_choice(reader);
  if (depth == 0 && (event == CURSOR_ARRAY || event == CURSOR_OBJECT))
    begin_document(reader);
  else if (depth == 0)
    facts_end(reader);
  else if (depth <= DOCUMENT_DEPTH && event != CURSOR_CLOSE)
    take_value(reader, event, depth);
}

static enum cursor_event next_event(struct document_reader *reader)
{
  struct document *document = reader->document;
  if (reader->closed && json_cursor_next_text(&reader->cursor)) {
    document->several = true;
    document->ended = document->goes_on = document->job = document->empty = document->words = document->half =
        false;
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
