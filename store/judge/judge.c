/* SPDX-License-Identifier: MIT */
#include "store/judge/judge.h"

#include "store/judge/document.h"
#include "store/judge/event_stream.h"
#include "store/judge/stream_end.h"

#include <string.h>
#include <strings.h>

/* What kind of body it is. */

enum kind { KIND_OTHER, KIND_JSON, KIND_EVENTS, KIND_LINES, KIND_FRAMES };

static const struct {
  const char *type;
  enum kind kind;
} kinds[] = {
    {"application/json", KIND_JSON},         {"text/json", KIND_JSON},
    {"text/event-stream", KIND_EVENTS},      {"application/x-ndjson", KIND_LINES},
    {"application/ndjson", KIND_LINES},      {"application/jsonl", KIND_LINES},
    {"application/x-jsonlines", KIND_LINES}, {"application/vnd.amazon.eventstream", KIND_FRAMES},
};

static bool starts(struct idem_span line, const char *word)
{
  size_t len = strlen(word);
  return line.len >= len && strncasecmp(line.data, word, len) == 0;
}

/* The media type without parameters, from the last header block: those before belong to redirects and 1xx. */
static struct idem_span media_type(struct idem_span headers)
{
  static const char name[] = "content-type:";
  struct idem_span line, type = {"", 0};
  while (sse_line(&headers, &line)) {
    if (starts(line, "HTTP/"))
      type.len = 0;
    if (!starts(line, name))
      continue;
    size_t skip = sizeof(name) - 1;
    while (skip < line.len && (line.data[skip] == ' ' || line.data[skip] == '\t'))
      skip++;
    type = (struct idem_span){line.data + skip, 0};
    while (skip + type.len < line.len && !strchr("; \t", type.data[type.len]))
      type.len++;
  }
  return type;
}

static enum kind kind_of(struct idem_span type)
{
  for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
    if (strlen(kinds[i].type) == type.len && starts(type, kinds[i].type))
      return kinds[i].kind;
  return type.len > 5 && strncasecmp(type.data + type.len - 5, "+json", 5) == 0 ? KIND_JSON : KIND_OTHER;
}

bool answer_is_stream(struct idem_span headers)
{
  enum kind kind = kind_of(media_type(headers));
  return kind == KIND_EVENTS || kind == KIND_LINES || kind == KIND_FRAMES;
}

/* Judging. */

static bool status_accepted(const struct idem_rule *rule, int status)
{
  for (size_t i = 0; i < rule->status_count; i++)
    if (status >= rule->status[i].first && status <= rule->status[i].last)
      return true;
  return false;
}

static bool refuse(struct idem_error *why, const char *reason)
{
  idem_error_set(why, 0, "%s", reason);
  return false;
}

static bool judge_json(const struct idem_recording *recording, struct answer_facts *facts,
                       struct idem_error *why)
{
  struct document document = DOCUMENT_INIT;
  document_read(recording->body, &document);
  if (!document.json)
    return refuse(why, "the JSON does not parse; it may have been cut off");
  if (!recording->framed && !document.container)
    return refuse(why, "nothing tells where the body ends");
  if (document.failed)
    return refuse(why, "the answer reports an error although its status does not");
  facts->usage = document.usage;
  return true;
}

static bool judge_stream(enum kind kind, struct idem_span body, struct answer_facts *facts,
                         struct idem_error *why)
{
  static int (*const readers[])(struct idem_span, struct stream *) = {[KIND_EVENTS] = stream_read_events,
                                                                      [KIND_LINES] = stream_read_lines,
                                                                      [KIND_FRAMES] = stream_read_frames};
  struct stream stream = {.usage = {-1, -1}};
  if (readers[kind](body, &stream) < 0)
    return refuse(why, "no memory to look at the stream");
  if (stream.failed)
    return refuse(why, "there is an error event in the stream");
  if (stream.malformed)
    return refuse(why, "the stream is broken off or not what its type says");
  if (!stream.ended)
    return refuse(why, "the stream has no end of its provider's own; it may have been cut off");
  facts->usage = stream.usage;
  return true;
}

bool answer_judge(const struct idem_rule *rule, const struct idem_recording *recording,
                  struct answer_facts *facts, struct idem_error *why)
{
  enum kind kind = kind_of(media_type(recording->headers));
  *facts = (struct answer_facts){.event_stream = kind == KIND_EVENTS, .usage = {-1, -1}};
  if (!status_accepted(rule, recording->status)) {
    idem_error_set(why, 0, "status %d is not one that the rule stores", recording->status);
    return false;
  }
  if (recording->body.len > rule->max_body)
    return refuse(why, "the answer is larger than max_body");
  if (recording->encoded && kind != KIND_OTHER && kind != KIND_JSON)
    return refuse(why, "an encoded stream cannot be looked into");
  if (!recording->framed && (kind == KIND_OTHER || kind == KIND_FRAMES || recording->encoded))
    return refuse(why, "nothing tells where the body ends");
  if (kind == KIND_OTHER || recording->encoded)
    return true;
  return kind == KIND_JSON ? judge_json(recording, facts, why)
                           : judge_stream(kind, recording->body, facts, why);
}
