/* SPDX-License-Identifier: MIT */
/*
 * One document after the other: a body is one, or its events or lines are. What a document adds is found by
 * its names, so that a stream and a whole answer, and the providers, share the code: a choice of OpenAI's has
 * `message` or `delta`, a piece of Anthropic's `delta` or `content_block`, a candidate of Gemini's `content`.
 */
#include "cli/view/reply.h"

#include "cli/view/exchange.h"
#include "store/judge/decode.h"
#include "store/judge/event_stream.h"
#include "store/judge/judge.h"

#include <stdlib.h>

/* What is put together. The texts are taken over by the reply at the end; `reply` has the counts
 * meanwhile. */
struct pieces {
  struct event_text id, model, reasons, text, tools;
  struct cli_reply *reply;
  bool
      streamed; /* pieces of the text came by themselves: what repeats them whole at the end does not count */
  bool in_tool; /* the last line of tools has no end yet */
};

/* NULL for what is not there or no text, so that whoever asks need not look. */
static void add(struct event_text *to, const char *text)
{
  if (text)
    event_text_add(to, cli_span(text));
}

/* The first that is told. */
static void add_once(struct event_text *to, const json_t *value)
{
  if (!to->len)
    add(to, json_string_value(value));
}

/* A stream has null there up to its end. */
static void add_reason(struct pieces *pieces, const json_t *value)
{
  if (!json_is_string(value) || !*json_string_value(value))
    return;
  add(&pieces->reasons, pieces->reasons.len ? "," : "");
  add(&pieces->reasons, json_string_value(value));
}

/* Tools. */

/* Arguments are a text that holds JSON, or JSON. */
static void add_arguments(struct pieces *pieces, const json_t *value)
{
  char *text = json_is_object(value) || json_is_array(value) ? json_dumps(value, JSON_COMPACT) : NULL;
  add(&pieces->tools, text ? text : json_string_value(value));
  free(text);
}

static void end_tool(struct pieces *pieces)
{
  if (pieces->in_tool)
    add(&pieces->tools, ")\n");
  pieces->in_tool = false;
}

/* A name begins a call; what has none goes on with the last. */
static void add_tool(struct pieces *pieces, const json_t *name, const json_t *arguments)
{
  if (json_is_string(name)) {
    end_tool(pieces);
    add(&pieces->tools, json_string_value(name));
    add(&pieces->tools, "(");
    pieces->in_tool = true;
  }
  if (pieces->in_tool)
    add_arguments(pieces, arguments);
}

/* OpenAI's list, whole or in pieces of which only the first has a name. */
static void add_tools(struct pieces *pieces, const json_t *calls)
{
  size_t i;
  json_t *call;
  json_array_foreach(calls, i, call)
  {
    const json_t *function = json_object_get(call, "function");
    add_tool(pieces, json_object_get(function, "name"), json_object_get(function, "arguments"));
  }
}

/* Texts. */

/* A text, or a list of parts each of which is a text, a tool or something else. */
static void add_content(struct pieces *pieces, const json_t *content)
{
  size_t i;
  json_t *part;
  add(&pieces->text, json_string_value(content));
  if (json_is_object(content))
    add(&pieces->text, json_string_value(json_object_get(content, "text")));
  json_array_foreach(content, i, part)
  {
    const json_t *called = json_object_get(part, "functionCall"), *use = json_object_get(part, "toolUse");
    const char *type = json_string_value(json_object_get(part, "type"));
    add(&pieces->text, json_string_value(json_object_get(part, "text")));
    if (called)
      add_tool(pieces, json_object_get(called, "name"), json_object_get(called, "args"));
    if (use)
      add_tool(pieces, json_object_get(use, "name"), json_object_get(use, "input"));
    if (type && strcmp(type, "tool_use") == 0)
      add_tool(pieces, json_object_get(part, "name"), json_object_get(part, "input"));
  }
}

/* Between two choices. */
static void begin_choice(struct pieces *pieces, size_t i, size_t before)
{
  if (i && pieces->text.len > before)
    add(&pieces->text, "\n\n");
}

/* OpenAI's chat and completions, and all who have their shape: `message` of an answer, `delta` of a piece
 * of a stream, `text` of a completion. */
static void read_choices(struct pieces *pieces, const json_t *choices)
{
  size_t i, before = pieces->text.len;
  json_t *choice;
  json_array_foreach(choices, i, choice)
  {
    static const char *const members[] = {"message", "delta"};
    begin_choice(pieces, i, before);
    add(&pieces->text, json_string_value(json_object_get(choice, "text")));
    for (size_t j = 0; j < sizeof(members) / sizeof(members[0]); j++) {
      const json_t *message = json_object_get(choice, members[j]);
      add_content(pieces, json_object_get(message, "content"));
      add_tools(pieces, json_object_get(message, "tool_calls"));
    }
    add_reason(pieces, json_object_get(choice, "finish_reason"));
  }
}

/* Gemini's. */
static void read_candidates(struct pieces *pieces, const json_t *candidates)
{
  size_t i, before = pieces->text.len;
  json_t *candidate;
  json_array_foreach(candidates, i, candidate)
  {
    begin_choice(pieces, i, before);
    add_content(pieces, json_object_get(json_object_get(candidate, "content"), "parts"));
    add_reason(pieces, json_object_get(candidate, "finishReason"));
  }
}

/* The items of OpenAI's responses. */
static void read_output(struct pieces *pieces, const json_t *output)
{
  size_t i;
  json_t *item;
  add_content(pieces,
              json_object_get(json_object_get(output, "message"), "content")); /* Bedrock's converse */
  json_array_foreach(output, i, item)
  {
    add_content(pieces, json_object_get(item, "content"));
    if (json_object_get(item, "arguments"))
      add_tool(pieces, json_object_get(item, "name"), json_object_get(item, "arguments"));
  }
}

/* A delta that stands by itself: Anthropic's, Cohere's, OpenAI's of responses. */
static void read_delta(struct pieces *pieces, const json_t *document, const char *type)
{
  const json_t *delta = json_object_get(document, "delta"),
               *block = json_object_get(document, "content_block"), *item = json_object_get(document, "item");
  bool of_tool = type && strstr(type, "function_call_arguments.delta"),
       of_text = type && strstr(type, "output_text.delta");
  /* From now on a whole answer in an event, such as response.completed, is one that was read already. */
  pieces->streamed |= delta || block;
  if (json_is_string(delta) && of_text)
    add(&pieces->text, json_string_value(delta));
  if (json_is_string(delta) && of_tool)
    add_tool(pieces, NULL, delta);
  /* Anthropic's text_delta; below, Cohere's content-delta and Anthropic's input_json_delta. */
  add(&pieces->text, json_string_value(json_object_get(delta, "text")));
  add_content(pieces, json_object_get(json_object_get(delta, "message"), "content"));
  if (json_object_get(delta, "partial_json"))
    add_tool(pieces, NULL, json_object_get(delta, "partial_json"));
  add_reason(pieces, json_object_get(delta, "stop_reason"));
  add_reason(pieces, json_object_get(delta, "finish_reason"));
  /* Anthropic's content_block_start, which names a tool before its arguments come. */
  add(&pieces->text, json_string_value(json_object_get(block, "text")));
  if (json_object_get(block, "name"))
    add_tool(pieces, json_object_get(block, "name"), NULL);
  /* OpenAI's responses do the same; what the item has at its end is whole, and was there in pieces. */
  if (json_object_get(item, "arguments") && type && strstr(type, "output_item.added"))
    add_tool(pieces, json_object_get(item, "name"), NULL);
}

/* Counts. */

/* Names of what came out of the cache, and of what went into it. */
static void read_cache(struct pieces *pieces, const json_t *usage)
{
  static const struct {
    const char *path[2];
    bool written;
  } places[] = {
      /* OpenAI's chat and responses, Anthropic, Bedrock, Gemini, DeepSeek; then what Anthropic and Bedrock
       * have written. */
      {{"prompt_tokens_details", "cached_tokens"}, false},
      {{"input_tokens_details", "cached_tokens"}, false},
      {{"cache_read_input_tokens"}, false},
      {{"cacheReadInputTokens"}, false},
      {{"cachedContentTokenCount"}, false},
      {{"prompt_cache_hit_tokens"}, false},
      {{"cache_creation_input_tokens"}, true},
      {{"cacheWriteInputTokens"}, true},
  };
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
    const json_t *value = json_object_get(usage, places[i].path[0]);
    value = places[i].path[1] ? json_object_get(value, places[i].path[1]) : value;
    /* In a stream the last count is the one that holds. */
    if (json_is_integer(value))
      *(places[i].written ? &pieces->reply->written : &pieces->reply->cached) = json_integer_value(value);
  }
}

/* An answer, an event of a stream, or a line. What begins or ends a stream has an answer inside, which is
 * read in the same way. */
static void read_document(struct pieces *pieces, const json_t *document)
{
  static const char *const inner[] = {"message", "response"}; /* of an event that begins or ends a stream */
  const char *type = json_string_value(json_object_get(document, "type"));
  add_once(&pieces->id, json_object_get(document, "id"));
  add_once(&pieces->id, json_object_get(document, "responseId"));
  add_once(&pieces->model, json_object_get(document, "model"));
  add_once(&pieces->model, json_object_get(document, "modelVersion"));
  read_cache(pieces, json_object_get(document, "usage"));
  read_cache(pieces, json_object_get(document, "usageMetadata"));
  /* Deltas first: they tell whether what stands whole in this document is one more time the same. */
  read_delta(pieces, document, type);
  read_choices(pieces, json_object_get(document, "choices"));
  read_candidates(pieces, json_object_get(document, "candidates"));
  if (!pieces->streamed) {
    read_output(pieces, json_object_get(document, "output"));
    add_content(pieces, json_object_get(document, "content"));
  }
  for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
    const json_t *value = json_object_get(document, inner[i]);
    /* As deep as jansson parses (2,048), so that no document exhausts the stack. */
    if (json_is_object(value) && (json_object_get(value, "id") || json_object_get(value, "usage")))
      read_document(pieces, value);
    else if (i == 0)
      add_content(pieces, json_object_get(value, "content")); /* Ollama's chat, Cohere v2 */
    else
      add(&pieces->text, json_string_value(value)); /* Ollama's generate */
  }
  add_reason(pieces, json_object_get(document, "stop_reason"));
  add_reason(pieces, json_object_get(document, "stopReason"));
  add_reason(pieces, json_object_get(document, "done_reason"));
  add_reason(pieces, json_object_get(document, "finish_reason"));
}

/* A name of an event says nothing that its data does not; [DONE] is no JSON, and adds nothing. */
static void take_event(void *arg, struct idem_span name, struct idem_span data)
{
  json_t *document = json_loadb(data.data, data.len, 0, NULL);
  (void)name;
  read_document(arg, document);
  json_decref(document);
}

/* Gemini streams an array of documents where no events are asked for. */
static void read_body(struct pieces *pieces, struct idem_span headers, struct idem_span body)
{
  json_t *document = json_loadb(body.data, body.len, 0, NULL), *item;
  size_t i;
  if (document) {
    read_document(pieces, document);
    json_array_foreach(document, i, item) read_document(pieces, item);
  } else {
    struct event_stream stream = {.events = cli_is_event_stream(headers), .take = take_event, .arg = pieces};
    event_stream_feed(&stream, body, true);
    event_stream_release(&stream);
  }
  json_decref(document);
  end_tool(pieces);
}

/* The body without its content coding; what cannot be decoded is left as it is. */
static bool decode(struct event_text *plain, struct idem_span headers, struct idem_span coded)
{
  enum { ROOM = 1 << 16 };
  struct decoder decoder;
  struct idem_span piece;
  char *room = malloc(ROOM);
  /* With the judge's decoders: what the store could look into can be shown. */
  struct idem_span coding = cli_header(headers, "Content-Encoding");
  bool begun = room && decode_coding(&coding) == CODING_KNOWN && decode_begin(&decoder, coding);
  while (begun && decode_next(&decoder, &coded, room, ROOM, &piece))
    event_text_add(plain, piece);
  if (begun)
    decode_release(&decoder);
  free(room);
  return begun;
}

/* A copy with its NUL. */
static char *take(struct event_text *text)
{
  char *out = strndup(text->data ? text->data : "", text->len);
  free(text->data);
  return out;
}

void cli_reply_read(struct cli_reply *reply, struct idem_span headers, struct idem_span body, bool encoded)
{
  struct pieces pieces = {.reply = reply};
  struct event_text plain = {0};
  *reply = (struct cli_reply){.cached = -1, .written = -1, .usage = judge_usage(headers, body, encoded)};
  if (encoded && decode(&plain, headers, body))
    body = (struct idem_span){plain.data, plain.len};
  if (body.len)
    read_body(&pieces, headers, body);
  free(plain.data);
  reply->id = take(&pieces.id);
  reply->model = take(&pieces.model);
  reply->reasons = take(&pieces.reasons);
  reply->text = take(&pieces.text);
  reply->tools = take(&pieces.tools);
}

void cli_reply_release(struct cli_reply *reply)
{
  free(reply->id);
  free(reply->model);
  free(reply->reasons);
  free(reply->text);
  free(reply->tools);
}
