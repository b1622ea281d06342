/* SPDX-License-Identifier: MIT */
/*
 * The body is read once, as it comes: by its type, or where that says nothing, by its first bytes. What it
 * says of itself is then weighed with what the transfer says, when both are there.
 */
#include "store/judge/judge.h"

#include "config/ascii.h"
#include "store/judge/decode.h"
#include "store/judge/document.h"
#include "store/judge/event_stream.h"
#include "store/judge/frames.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What kind of body it is. GUESS: the type says nothing, its first bytes may. */
enum kind { KIND_OTHER, KIND_GUESS, KIND_HTML, KIND_JSON, KIND_EVENTS, KIND_LINES, KIND_FRAMES };

/* A media type without its parameters (RFC 9110, 8.3.1). What is in no row is JSON with the suffix +json (RFC
 * 6839, 3.1), else KIND_OTHER, of which the framing tells whether it is whole. */
static const struct {
  const char *type;
  enum kind kind;
} kinds[] = {
    {"", KIND_GUESS},
    {"text/plain", KIND_GUESS},
    {"application/octet-stream", KIND_GUESS},
    {"text/html", KIND_HTML},
    {"application/xhtml+xml", KIND_HTML},
    {"application/json", KIND_JSON},
    {"text/json", KIND_JSON},
    {"text/event-stream", KIND_EVENTS},
    {"application/stream+json", KIND_LINES},
    {"application/x-ndjson", KIND_LINES},
    {"application/ndjson", KIND_LINES},
    {"application/jsonl", KIND_LINES},
    {"application/jsonlines", KIND_LINES},
    {"application/x-jsonlines", KIND_LINES},
    {"application/json-lines", KIND_LINES},
    {"application/vnd.amazon.eventstream", KIND_FRAMES},
};

static bool starts(struct idem_span line, const char *word)
{
  size_t len = strlen(word);
  return line.len >= len && strncasecmp(line.data, word, len) == 0;
}

/* A header's value in the last block, for those before belong to redirects and 1xx. `name` has its colon. */
static struct idem_span header_of(struct idem_span headers, const char *name)
{
  struct idem_span line, value = {"", 0};
  while (event_stream_line(&headers, &line)) {
    if (starts(line, "HTTP/"))
      value.len = 0;
    if (!starts(line, name))
      continue;
    value = (struct idem_span){line.data + strlen(name), line.len - strlen(name)};
    while (value.len && idem_is_blank(*value.data))
      value = (struct idem_span){value.data + 1, value.len - 1};
    while (value.len && idem_is_blank(value.data[value.len - 1]))
      value.len--;
  }
  return value;
}

/* Without regard to case, anywhere. */
static bool says(struct idem_span text, const char *word)
{
  for (; text.len; text = (struct idem_span){text.data + 1, text.len - 1})
    if (starts(text, word))
      return true;
  return false;
}

static enum kind kind_of(struct idem_span headers)
{
  struct idem_span type = header_of(headers, "content-type:");
  size_t len = 0;
  while (len < type.len && !strchr("; \t", type.data[len]))
    len++;
  type.len = len;
  for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
    if (strlen(kinds[i].type) == type.len && starts(type, kinds[i].type))
      return kinds[i].kind;
  return type.len > 5 && strncasecmp(type.data + type.len - 5, "+json", 5) == 0 ? KIND_JSON : KIND_OTHER;
}

/* gRPC over HTTP: 0 says that it went well, also behind the body. */
static bool is_grpc_failure(struct idem_span headers)
{
  struct idem_span status = header_of(headers, "grpc-status:");
  return status.len && !(status.len == 1 && *status.data == '0');
}

/* RFC 9457: whatever is in it is no answer. */
static bool is_problem(struct idem_span headers)
{
  return starts(header_of(headers, "content-type:"), "application/problem+json");
}

static bool is_stream(enum kind kind)
{
  return kind == KIND_EVENTS || kind == KIND_LINES || kind == KIND_FRAMES;
}

bool judge_is_stream(struct idem_span headers)
{
  return is_stream(kind_of(headers));
}

/* Reading. */

struct idem_judge {
  enum kind declared, kind; /* by the type, and by the first bytes where that says nothing */
  bool blind;               /* the coding cannot be undone: nothing is known of the body */
  bool strange, several;    /* nobody knows the coding, or there is more than one */
  bool known;               /* `kind` is settled */
  bool page;                /* the body begins as a page of HTML does */
  bool braced, list;        /* or as an object or an array, or an array at that */
  size_t fed;
  struct decoder decoder;
  struct event_stream stream;
  struct frames frames;
  struct document document;
  struct document_reader reader;
  struct event_text pending; /* what has come, and is not yet taken */
  bool no_memory;
  bool any, ended, failed, malformed; /* of a stream: an event with something in it, its end, an error */
  bool words;                         /* one event of words alone: a second makes it a stream of words */
  bool documents, over;               /* one that is JSON, and an end that takes whole framing to believe */
  bool done,
      owed; /* [DONE], and that what has come is over with words of its own alone, which have not come */
};

/* "[ERROR] ...", "error: ...": what some write for people where an event should stand. */
static bool is_error_text(struct idem_span text)
{
  return starts(text, "[error") || starts(text, "error:");
}

/* What is no JSON: the words of a stream of words, the end, or nothing. */
static void take_text(struct idem_judge *judge, struct idem_span text)
{
  while (text.len && strchr(" \t", text.data[text.len - 1]))
    text.len--;
  while (text.len && strchr(" \t", *text.data))
    text = (struct idem_span){text.data + 1, text.len - 1};
  if (text.len == 6 && memcmp(text.data, "[DONE]", 6) == 0)
    judge->done = true;
  else if (is_error_text(text))
    judge->failed = true;
  else
    judge->any |= text.len;
}

/* An event of a stream, or a line. The end of one of several things, such as the second of three images, is
 * none once an event says that it goes on. Some servers forget the empty line between two events: then each
 * line of theirs is one. */
static void take_event(void *arg, struct idem_span name, struct idem_span data)
{
  struct idem_judge *judge = arg;
  struct document *document = &judge->document;
  struct idem_span line;
  /* The name of an event has no escapes, and a backslash in it is one: only what JSON's rules have let
   * pass may be read by them. */
  bool named = name.len && !memchr(name.data, '\\', name.len);
  judge->failed |= named && document_is_failure(name);
  judge->ended |= named && document_is_end(name);
  judge->over |= named && document_is_over(name);
  document_read(data, document);
  /* Of an event without a content of its own, its name is the content, unless that is an end. */
  bool is_said_by_name = named && !document_is_end(name) && !document_is_over(name);
  if (document->json && document->container) {
    judge->documents = true;
    judge->any |=
        (document->filled || is_said_by_name) && !document->empty && (!document->words || judge->words);
    judge->words |= document->words;
    judge->failed |=
        document->failed || document->error || (document->broken && named && document_is_over(name));
    judge->ended = (judge->ended || document->ended) && !document->goes_on;
    judge->over = (judge->over || document->over) && !document->goes_on;
    judge->done &= !document->goes_on;
    judge->owed = (judge->owed || document->owes || document->goes_on) && !document->ended && !document->over;
  } else if (judge->kind == KIND_LINES) {
    judge->malformed = true;
  } else if (!data.len || !memchr(data.data, '\n', data.len)) {
    take_text(judge, data);
  } else {
    while (event_stream_line(&data, &line))
      take_event(judge, (struct idem_span){"", 0}, line);
  }
}

/* What the reader of this kind has not taken waits for the next piece. A document that comes whole is never
 * copied. */
static void keep_pending(struct idem_judge *judge, struct idem_span rest)
{
  /* `rest` may be the end of what is pending itself. */
  if (judge->pending.len && rest.len)
    memmove(judge->pending.data, rest.data, rest.len);
  if (judge->pending.len || !rest.len)
    judge->pending.len = rest.len;
  else
    judge->no_memory |= !event_text_add(&judge->pending, rest);
}

/* As long as the longest word that is looked for. */
enum { GUESS_BYTES = 16 };

/* False: its type says nothing of its form, or says something that it need not hold to. */
static bool has_form(enum kind kind)
{
  return kind == KIND_JSON || is_stream(kind);
}

/* A field of an event, or a comment. */
static bool begins_event(struct idem_span text)
{
  static const char *const fields[] = {"data:", "event:", "id:", "retry:", ":"};
  for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
    if (starts(text, fields[i]))
      return true;
  return false;
}

/* PHP and others call whatever they send text/html if nobody says otherwise, gateways leave a stream's type
 * on the failure that came in its place, and a stream comes under the type of the document that it replaces:
 * so a body that begins as a stream or as JSON is read as that, whatever its type. */
static void guess(struct idem_judge *judge, struct idem_span text)
{
  judge->braced = text.len && (*text.data == '{' || *text.data == '[');
  judge->list = text.len && *text.data == '[';
  judge->page = starts(text, "<!doctype html") || starts(text, "<html") || starts(text, "<head");
  if (begins_event(text))
    judge->kind = KIND_EVENTS;
  else if (judge->braced && judge->kind != KIND_LINES)
    judge->kind = KIND_JSON;
  judge->known = true;
  /* A coding that nobody knows may be none: what can be read is read as it is, and nothing else can. */
  if (judge->strange && !judge->braced && !starts(text, "data:") && !starts(text, "event:")) {
    judge->kind = judge->declared;
    judge->page = false;
    judge->blind = true;
  }
  judge->stream = (struct event_stream){
      .events = judge->kind == KIND_EVENTS, .strays = true, .take = take_event, .arg = judge};
}

static void take_plain(struct idem_judge *judge, struct idem_span text, bool last)
{
  /* Of a failure nothing makes an answer any more. */
  if (judge->no_memory || judge->failed)
    return;
  if (judge->pending.len) {
    judge->no_memory |= !event_text_add(&judge->pending, text);
    text = (struct idem_span){judge->pending.data, judge->pending.len};
  }
  /* A server may send blanks while it waits. */
  struct idem_span first = judge->known ? text : json_trimmed(text);
  if (!judge->known && first.len < GUESS_BYTES && !last) {
    if (!judge->pending.len)
      keep_pending(judge, text);
    return;
  }
  if (!judge->known)
    guess(judge, first);
  if (judge->blind)
    return;
  size_t used = text.len;
  if (judge->kind == KIND_EVENTS || judge->kind == KIND_LINES) {
    event_stream_feed(&judge->stream, text, last);
    judge->no_memory |= judge->stream.failed;
  } else if (judge->kind == KIND_FRAMES && !judge->frames.malformed) {
    used = frames_feed(&judge->frames, text, &judge->document);
    judge->no_memory |= judge->frames.no_memory;
  } else if (judge->kind == KIND_JSON) {
    used = document_feed(&judge->reader, text, last);
  }
  keep_pending(judge, (struct idem_span){text.data + used, last ? 0 : text.len - used});
  if (last && judge->kind == KIND_FRAMES)
    judge->frames.malformed |= used < text.len;
}

static void take_piece(struct idem_judge *judge, struct idem_span piece, bool last)
{
  char room[16384];
  struct idem_span plain;
  judge->fed += piece.len;
  if (judge->blind)
    return;
  if (!judge->decoder.kind) {
    take_plain(judge, piece, last);
    return;
  }
  while (decode_next(&judge->decoder, &piece, room, sizeof(room), &plain))
    take_plain(judge, plain, false);
  if (last)
    take_plain(judge, (struct idem_span){"", 0}, true);
}

static void begin(struct idem_judge *judge, struct idem_span headers, bool encoded)
{
  /* `reader` is left out: it is the largest part, and sets itself up. */
  memset(judge, 0, offsetof(struct idem_judge, reader));
  memset(&judge->pending, 0, sizeof(*judge) - offsetof(struct idem_judge, pending));
  judge->declared = judge->kind = kind_of(headers);
  judge->document = (struct document)DOCUMENT_INIT;
  document_begin(&judge->reader, &judge->document);
  struct idem_span coding = encoded ? header_of(headers, "content-encoding:") : (struct idem_span){"", 0};
  judge->blind = encoded && !coding.len;
  switch (decode_coding(&coding)) {
  case CODING_NONE:
    break;
  case CODING_KNOWN:
    judge->blind = !decode_begin(&judge->decoder, coding);
    break;
  case CODING_STRANGE:
    judge->strange = true;
    break;
  case CODING_SEVERAL:
    judge->blind = judge->several = true;
    break;
  }
}

static void end(struct idem_judge *judge)
{
  event_stream_release(&judge->stream);
  document_abandon(&judge->reader);
  decode_release(&judge->decoder);
  free(judge->pending.data);
}

struct idem_judge *idem_judge_new(struct idem_span headers, bool encoded)
{
  struct idem_judge *judge = malloc(sizeof(*judge));
  if (judge)
    begin(judge, headers, encoded);
  return judge;
}

void idem_judge_feed(struct idem_judge *judge, struct idem_span piece)
{
  take_piece(judge, piece, false);
}

void idem_judge_free(struct idem_judge *judge)
{
  if (judge)
    end(judge);
  free(judge);
}

/* Weighing. */

static bool refuse(struct idem_error *why, const char *reason)
{
  idem_error_set(why, 0, "%s", reason);
  return false;
}

static bool refuse_job(struct answer_facts *facts, struct idem_error *why)
{
  facts->job = true;
  return refuse(why, "a job that has only begun is no answer");
}

/* It may well be an answer, but that cannot be told, or kept: the next call pays again. */
static bool refuse_unproven(struct answer_facts *facts, struct idem_error *why, const char *reason)
{
  facts->unproven = true;
  return refuse(why, reason);
}

/* The header `name` of a request, with its colon; empty if it has none. */
static struct idem_span request_header(const struct idem_request *request, const char *name)
{
  for (size_t i = 0; i < request->header_count; i++)
    if (starts(request->headers[i], name))
      return (struct idem_span){request->headers[i].data + strlen(name),
                                request->headers[i].len - strlen(name)};
  return (struct idem_span){"", 0};
}

/* What it accepts decides, and else what it sends. Where a page is welcome, HTML is an answer. */
static bool asks_for_json(const struct idem_request *request)
{
  struct idem_span accept = request_header(request, "accept:");
  return !says(accept, "text/html") && (says(accept, "json") || says(accept, "event-stream") ||
                                        says(request_header(request, "content-type:"), "json"));
}

/* What endpoints answer with, by their last segments on whatever host: what a proxy writes for people in its
 * place is no answer there, nor is one with nothing in it. Of a user's own API either may be the answer. */
enum endpoint {
  ENDPOINT_OWN,
  ENDPOINT_JSON,       /* an object or a list with something in it, or events */
  ENDPOINT_CHOICES,    /* the same; of one that is built in, what is an answer in some provider's words */
  ENDPOINT_CANDIDATES, /* the same, Gemini's: candidates, or why the prompt is blocked */
  ENDPOINT_TEXT,       /* a text of any form, also none */
  ENDPOINT_AUDIO       /* bytes, or JSON or events that have them */
};
static const struct {
  const char *path;
  enum endpoint endpoint;
} endpoints[] = {{"*/chat/completions", ENDPOINT_CHOICES},
                 {"*/v1/completions", ENDPOINT_JSON},
                 {"*/v1/messages", ENDPOINT_JSON},
                 {"*/v1/messages/count_tokens", ENDPOINT_JSON},
                 {"*/v1/responses", ENDPOINT_JSON},
                 {"*/openai/responses", ENDPOINT_JSON},
                 {"*/openai/deployments/*/completions", ENDPOINT_JSON},
                 {"*/fim/completions", ENDPOINT_JSON},
                 {"*/agents/completions", ENDPOINT_JSON},
                 {"*/embeddings", ENDPOINT_JSON},
                 {"*/v1/moderations", ENDPOINT_JSON},
                 {"*/v1/images/generations", ENDPOINT_JSON},
                 {"*/v1/images/edits", ENDPOINT_JSON},
                 {"*/v1/images/variations", ENDPOINT_JSON},
                 {"*/audio/speech", ENDPOINT_AUDIO},
                 {"*/audio/transcriptions", ENDPOINT_TEXT},
                 {"*/audio/translations", ENDPOINT_TEXT},
                 {"*:generateContent", ENDPOINT_CANDIDATES},
                 {"*:streamGenerateContent", ENDPOINT_CANDIDATES},
                 {"*:embedContent", ENDPOINT_JSON},
                 {"*:batchEmbedContents", ENDPOINT_JSON},
                 {"*:countTokens", ENDPOINT_JSON},
                 {"*:rawPredict", ENDPOINT_JSON},
                 {"*:streamRawPredict", ENDPOINT_JSON},
                 {"/model/*/converse", ENDPOINT_JSON},
                 {"/model/*/converse-stream", ENDPOINT_JSON},
                 {"/model/*/invoke", ENDPOINT_JSON},
                 {"/model/*/invoke-with-response-stream", ENDPOINT_JSON}};

/* Of those that are built in only audio is no JSON. */
static enum endpoint endpoint_of(const struct idem_request *request)
{
  for (size_t i = 0; i < sizeof(endpoints) / sizeof(*endpoints); i++)
    if (idem_glob(endpoints[i].path, request->path.data, request->path.len, false))
      return endpoints[i].endpoint;
  if (!request->rule->name)
    return ENDPOINT_OWN;
  return idem_glob("*/audio/*", request->path.data, request->path.len, false) ? ENDPOINT_TEXT : ENDPOINT_JSON;
}

/* By its type: text for people, where that is not the answer. Without a type it may be anything, and is that
 * where JSON was to come. */
static bool is_prose(enum endpoint endpoint, struct idem_span headers)
{
  struct idem_span type = header_of(headers, "content-type:");
  if (endpoint == ENDPOINT_OWN || endpoint == ENDPOINT_TEXT)
    return false;
  return (!type.len && endpoint != ENDPOINT_AUDIO) || starts(type, "text/") ||
         starts(type, "application/xml");
}

/* 202 is the sign of a job, unless the rule names it. */
static bool is_job_status(const struct idem_rule *rule, int status)
{
  for (size_t i = 0; i < rule->status_count; i++)
    if (rule->status[i].first == 202 && rule->status[i].last == 202)
      return false;
  return status == 202;
}

static const char only_words[] = "it has words and nothing else, as a failure has";
static const char an_empty_body[] = "the body is empty";
static const char an_error[] = "the answer reports an error although its status does not";

/* Gemini's stream as one array of JSON: its bracket is written by whoever has taken the rest apart. */
static bool is_list_of_halves(const struct idem_judge *judge)
{
  const struct document_choices *candidates = &judge->document.candidates;
  return judge->list && (candidates->begun[0] || candidates->begun[1]) && !document_choices_over(candidates);
}

/* A failure comes before a doubt about the end: only what is in doubt is `unproven`, and told as an answer
 * that is paid for again. A number or a word shows no end of its own: 12 may be what has come of 123. */
static bool weigh_document(const struct idem_judge *judge, const struct idem_request *request,
                           const struct idem_recording *recording, struct answer_facts *facts,
                           struct idem_error *why)
{
  const struct document *document = &judge->document;
  enum endpoint endpoint = endpoint_of(request);
  bool declared = has_form(judge->declared);
  if (!recording->body.len)
    return refuse(why, an_empty_body);
  if (document->failed || (document->several && document->error))
    return refuse(why, an_error);
  if (document->job)
    return refuse_job(facts, why);
  if (document->empty)
    return refuse(why, "the answer has no choices");
  if (document->json && endpoint != ENDPOINT_OWN && endpoint != ENDPOINT_TEXT &&
      (!document->filled || (endpoint == ENDPOINT_CANDIDATES && !document->answers)))
    return refuse(why, "the answer has nothing in it");
  if (document->words)
    return refuse_unproven(facts, why, only_words);
  if (document->json && endpoint == ENDPOINT_CHOICES && request->rule->name && !document->answers)
    return refuse(why, "the answer has no choices");
  if (document->half)
    return refuse_unproven(facts, why, "it says that it is not over; it may be a piece of the answer");
  if (document->several &&
      (document->goes_on || document->cut || document_choices_differ(&document->choices)))
    return refuse_unproven(facts, why, "the last of its documents is not the end; it may have been cut off");
  if (endpoint == ENDPOINT_CANDIDATES && is_list_of_halves(judge))
    return refuse_unproven(facts, why, "none of its parts is the last; it may have been cut off");
  if (declared && !document->json && !judge->braced)
    return refuse_unproven(facts, why, "it is no JSON");
  if (declared && document->cut)
    return refuse_unproven(facts, why, "the JSON does not end; it may have been cut off");
  if (!recording->framed && !judge->decoder.ended && !(document->json && document->container))
    return refuse_unproven(facts, why, "nothing tells where the body ends");
  if (document->json)
    facts->usage = document->usage;
  return true;
}

static bool weigh_stream(const struct idem_judge *judge, const struct idem_recording *recording,
                         struct answer_facts *facts, struct idem_error *why)
{
  const struct document *document = &judge->document;
  const struct frames *frames = &judge->frames;
  bool in_frames = judge->kind == KIND_FRAMES;
  if (judge->failed || frames->failed)
    return refuse(why, "there is an error event in the stream");
  if (judge->malformed || frames->malformed)
    return refuse_unproven(facts, why, "the stream is broken off or not what its type says");
  /* Bedrock's Converse has messageStart and messageStop, and so have the events of Claude and Nova in
   * InvokeModel; those of other models have neither, and end with a whole frame and whole framing. A
   * finish_reason in every choice is an end with whole framing alone. A gateway writes [DONE] behind whatever
   * it has got, also behind half an answer: it is no end of what has an end of its own. */
  bool over = judge->over || document_choices_over(&document->choices);
  bool done = judge->done && !judge->owed && !document_choices_awaited(&document->choices);
  bool ended = in_frames ? frames->any && recording->framed && (frames->ended || !frames->begun)
                         : judge->ended || done || (recording->framed && over);
  if (ended && !in_frames && !judge->any && judge->words)
    return refuse_unproven(facts, why, only_words);
  if (ended && !in_frames && !judge->any)
    return refuse(why, "the stream has nothing but its end");
  if ((ended || judge->done) && document_choices_differ(&document->choices))
    return refuse_unproven(facts, why, "one choice of several is not over; it may have been cut off");
  if (!ended)
    return refuse_unproven(facts, why,
                           "the stream has no end of its provider's own; it may have been cut off");
  facts->usage = document->usage;
  return true;
}

/* It began as a stream does, but its type does not say so and no event has come: "id: 7", then, is a text. */
static bool is_text_after_all(const struct idem_judge *judge)
{
  return !has_form(judge->declared) && !judge->documents && !judge->ended && !judge->done && !judge->failed;
}

/* `blind`: in a coding that cannot be undone. Then its type alone tells a page or a stream, and a document is
 * an answer by its framing. */
static bool weigh_body(const struct idem_judge *judge, const struct idem_request *request,
                       const struct idem_recording *recording, struct answer_facts *facts,
                       struct idem_error *why)
{
  if (judge->no_memory)
    return refuse(why, "no memory to look at the answer");
  enum endpoint endpoint = endpoint_of(request);
  if ((judge->page || judge->kind == KIND_HTML) && (asks_for_json(request) || endpoint != ENDPOINT_OWN))
    return refuse(why, "a page of HTML came where something else was asked for");
  if (judge->several)
    return refuse_unproven(facts, why, "it is in several codings, which are not undone");
  if (judge->blind && is_stream(judge->kind))
    return refuse_unproven(facts, why, "the stream is in a coding that cannot be looked into");
  if (judge->decoder.kind && (judge->decoder.failed || !judge->decoder.ended))
    return refuse_unproven(facts, why, "the content coding is broken off or not what its header says");
  if (!judge->blind && is_stream(judge->kind) && !is_text_after_all(judge))
    return weigh_stream(judge, recording, facts, why);
  if (!judge->blind && judge->kind == KIND_JSON)
    return weigh_document(judge, request, recording, facts, why);
  if (endpoint == ENDPOINT_AUDIO && !recording->body.len)
    return refuse(why, an_empty_body);
  if (judge->kind != KIND_JSON && is_prose(endpoint, recording->headers))
    return refuse_unproven(facts, why, endpoint == ENDPOINT_AUDIO ? "it is no audio" : "it is no JSON");
  if (!recording->framed && !judge->decoder.ended)
    return refuse_unproven(facts, why, "nothing tells where the body ends");
  return true;
}

/* One that was fed all of this body, or the local one. */
static struct idem_judge *settle(struct idem_judge *local, const struct idem_recording *recording)
{
  struct idem_judge *judge = recording->judge;
  if (judge && judge->fed == recording->body.len && judge->declared == kind_of(recording->headers)) {
    take_piece(judge, (struct idem_span){"", 0}, true);
    return judge;
  }
  begin(local, recording->headers, recording->encoded);
  take_piece(local, recording->body, true);
  return local;
}

bool judge_answer(const struct idem_request *request, const struct idem_recording *recording,
                  struct answer_facts *facts, struct idem_error *why)
{
  const struct idem_rule *rule = request->rule;
  struct idem_judge local;
  *facts =
      (struct answer_facts){.event_stream = kind_of(recording->headers) == KIND_EVENTS, .usage = {-1, -1}};
  if (!idem_rule_accepts(rule, recording->status)) {
    idem_error_set(why, 0, "status %d is not one that the rule stores", recording->status);
    return false;
  }
  if (is_job_status(rule, recording->status))
    return refuse_job(facts, why);
  if (recording->body.len > rule->max_answer)
    return refuse_unproven(facts, why, "the answer is larger than max_body");
  if (header_of(recording->headers, "x-amzn-errortype:").len || is_grpc_failure(recording->headers) ||
      is_grpc_failure(recording->trailers))
    return refuse(why, "its headers name an exception");
  if (is_problem(recording->headers))
    return refuse(why, an_error);
  /* The endpoints that are built in give no tokens and sessions, whatever a gateway puts on all it sends. */
  if (!rule->name && !rule->ignore_cache_control &&
      says(header_of(recording->headers, "cache-control:"), "no-store"))
    return refuse_unproven(facts, why,
                           "it says Cache-Control: no-store; ignore_cache_control=on stores it all the same");
  struct idem_judge *judge = settle(&local, recording);
  bool accepted = weigh_body(judge, request, recording, facts, why);
  /* Of several choices each must have run out of room: with one that is whole it is an answer. */
  bool cut_short =
      judge->document.choices.reasons && judge->document.choices.reasons == judge->document.choices.lengths;
  if (accepted && rule->truncated == IDEM_TRUNCATED_LIVE && cut_short)
    accepted = refuse(why, "the answer was cut short by its length, and the rule says truncated=live");
  if (judge == &local)
    end(judge);
  return accepted;
}

struct idem_usage judge_usage(struct idem_span headers, struct idem_span body, bool encoded)
{
  struct idem_judge judge;
  begin(&judge, headers, encoded);
  take_piece(&judge, body, true);
  struct idem_usage usage =
      judge.document.json || judge.kind != KIND_JSON ? judge.document.usage : (struct idem_usage){-1, -1};
  end(&judge);
  return usage;
}
