/* SPDX-License-Identifier: MIT */
#include "shim/request/call.h"

#include "shim/base/zero.h"
#include "shim/replay/stream_follow.h"
#include "shim/request/cookies.h"
#include "shim/runtime/log.h"
#include "shim/runtime/runtime.h"
#include "shim/tape/playback.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

int64_t monotonic_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct idem_span span_of(const char *text)
{
  return text ? (struct idem_span){text, strlen(text)} : (struct idem_span){"", 0};
}

/* Text that grows in a fixed room; once it does not fit, `len` is more than the room. */
struct text {
  char *at;
  size_t len, room;
};

static void add(struct text *text, const char *data, size_t len)
{
  if (text->len <= text->room && len <= text->room - text->len)
    memcpy(text->at + text->len, data, len);
  text->len += len;
}

static void add_text(struct text *text, const char *data)
{
  add(text, data, strlen(data));
}

static bool fits(const struct text *text)
{
  return text->len <= text->room;
}

/* What did not fit is nothing: the log would read past its end. */
static struct idem_span span_of_text(const struct text *text)
{
  return (struct idem_span){text->at, fits(text) ? text->len : 0};
}

static void add_lower(struct text *text, const char *data, size_t len)
{
  add(text, data, len);
  if (!fits(text))
    return;
  char *at = text->at + text->len - len;
  for (size_t i = 0; i < len; i++)
    at[i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] | 0x20) : at[i];
}

static void add_port(struct text *text, unsigned port)
{
  char digits[6];
  size_t at = sizeof(digits);
  do
    digits[--at] = (char)('0' + port % 10);
  while (port /= 10);
  add(text, digits + at, sizeof(digits) - at);
}

/* Entries that lead the URL's host somewhere else: another server is another origin. */
static void add_detours(struct text *text, const struct shadow *shadow)
{
  static const uint8_t slots[] = {SLOT_CONNECT_TO, SLOT_RESOLVE};
  for (size_t i = 0; i < sizeof(slots); i++)
    for (const struct curl_slist *entry = (const struct curl_slist *)shadow->slot[slots[i]]; entry;
         entry = entry->next) {
      add_text(text, " via ");
      add_text(text, entry->data);
    }
}

/* "https://api.openai.com:443", and what else says which server that is: a socket's path, CONNECT_TO,
 * RESOLVE. */
static const char *build_origin(struct call *call)
{
  const struct shadow *shadow = call->shadow;
  const struct url_parts *parts = &shadow->parts;
  struct text text = {call->origin, 0, sizeof(call->origin)};
  bool literal = memchr(shadow->url.data + parts->host, ':', parts->host_len) != NULL;
  add_text(&text, parts->https ? "https://" : "http://");
  add_text(&text, literal ? "[" : "");
  add_lower(&text, shadow->url.data + parts->host, parts->host_len);
  add_text(&text, literal ? "]:" : ":");
  add_port(&text, parts->port);
  for (unsigned slot = SLOT_UNIX_SOCKET_PATH; slot <= SLOT_ABSTRACT_UNIX_SOCKET; slot++)
    if (shadow->slot[slot]) {
      add_text(&text, slot == SLOT_ABSTRACT_UNIX_SOCKET ? " @" : " ");
      add_text(&text, (const char *)shadow->slot[slot]);
    }
  add_detours(&text, shadow);
  call->request.origin = span_of_text(&text);
  return fits(&text) ? NULL : "origin too long";
}

/* The part of the answer that is asked for. */
static void add_range(struct text *text, const struct shadow *shadow)
{
  if (!shadow->needy)
    return;
  const char *range = (const char *)shadow_rare(shadow, CURLOPT_RANGE, 0);
  uintptr_t from = shadow_rare(shadow, CURLOPT_RESUME_FROM_LARGE, 0);
  char digits[40];
  if (range) {
    add_text(text, ";range:");
    add_text(text, range);
  }
  if (from)
    add(text, digits, (size_t)snprintf(digits, sizeof(digits), ";from:%lld", (long long)from));
}

/* What decides the bytes of an answer besides the request: which codings the client undoes. */
static const char *build_shape(struct call *call)
{
  const struct shadow *shadow = call->shadow;
  struct text text = {call->shape, 0, sizeof(call->shape)};
  const char *encodings = shadow_text(shadow, SLOT_ACCEPT_ENCODING);
  if (encodings) {
    add_text(&text, "decodes:");
    add_text(&text, encodings);
  }
  if (!shadow->slot[SLOT_HTTP_CONTENT_DECODING])
    add_text(&text, ";raw-content");
  if (!shadow->slot[SLOT_HTTP_TRANSFER_DECODING])
    add_text(&text, ";raw-transfer");
  if (shadow->no_body)
    add_text(&text, ";no-body");
  add_range(&text, shadow);
  for (size_t i = 0; i < call->request.header_count; i++) {
    const struct idem_span *line = &call->headers[i];
    if (line->len > 16 && line->data[15] == ':' && strncasecmp(line->data, "accept-encoding", 15) == 0) {
      add_text(&text, ";asks:");
      add(&text, line->data + 16, line->len - 16);
    }
  }
  call->request.shape = span_of_text(&text);
  return fits(&text) ? NULL : "ACCEPT_ENCODING too long";
}

static bool add_option_header(struct call *call, struct text *text, const char *name, enum option_slot slot)
{
  const char *value = shadow_text(call->shadow, slot);
  if (!value)
    return true;
  size_t start = text->len;
  add_text(text, name);
  add_text(text, value);
  if (!fits(text) || call->request.header_count == CALL_HEADERS_MAX)
    return false;
  call->headers[call->request.header_count++] = (struct idem_span){text->at + start, text->len - start};
  return true;
}

static const char *build_headers(struct call *call)
{
  const struct curl_slist *line = (const struct curl_slist *)call->shadow->slot[SLOT_HTTPHEADER];
  struct idem_request *request = &call->request;
  request->headers = call->headers;
  for (; line; line = line->next) {
    if (request->header_count == CALL_HEADERS_MAX)
      return "too many headers";
    call->headers[request->header_count++] = span_of(line->data);
  }
  struct text text = {call->option_headers, 0, sizeof(call->option_headers)};
  bool complete = add_option_header(call, &text, "User-Agent: ", SLOT_USERAGENT) &&
                  add_option_header(call, &text, "Referer: ", SLOT_REFERER);
  return complete ? NULL : "header options too long";
}

/* Who is asking, as far as it was not said in a header. */
static void build_credentials(struct call *call)
{
  static const uint8_t slots[] = {SLOT_COOKIE,         SLOT_USERPWD,   SLOT_USERNAME, SLOT_PASSWORD,
                                  SLOT_XOAUTH2_BEARER, SLOT_AWS_SIGV4, SLOT_SSLCERT};
  _Static_assert(sizeof(slots) < CALL_CREDENTIALS_MAX, "a place for each, and for cookies");
  struct idem_request *request = &call->request;
  request->credentials = call->credentials;
  for (size_t i = 0; i < sizeof(slots); i++)
    if (call->shadow->slot[slots[i]])
      call->credentials[request->credential_count++] = span_of(shadow_text(call->shadow, slots[i]));
}

static bool list_has(const char *list, const char *word)
{
  size_t len = strlen(word);
  for (; *list; list += strspn(list, ",")) {
    size_t item = strcspn(list, ",");
    if ((item == len && strncasecmp(list, word, len) == 0) || (item == 3 && strncasecmp(list, "all", 3) == 0))
      return true;
    list += item;
  }
  return false;
}

/* An app that forbids its own URL's scheme is owed libcurl's refusal. */
static bool protocol_allowed(const struct shadow *shadow)
{
  const char *list = shadow_text(shadow, SLOT_PROTOCOLS_STR);
  bool https = shadow->parts.https;
  if (list)
    return list_has(list, https ? "https" : "http");
  return shadow->slot[SLOT_PROTOCOLS] & (https ? CURLPROTO_HTTPS : CURLPROTO_HTTP);
}

static void build_line(struct call *call)
{
  const struct shadow *shadow = call->shadow;
  const struct url_parts *parts = &shadow->parts;
  struct idem_request *request = &call->request;
  request->method = span_of(shadow_method(shadow));
  request->path = parts->path_len ? (struct idem_span){shadow->url.data + parts->path, parts->path_len}
                                  : (struct idem_span){"/", 1};
  request->query = (struct idem_span){shadow->url.data + parts->query, parts->query_len};
  request->scope = span_of(settings()->scope);
}

static const char *build_body(struct call *call)
{
  body_open(&call->body, call->rule->max_body);
  call->request.body = call->body.span;
  if (call->body.form.reason)
    return call->body.form.reason;
  if (!call->body.whole)
    return call->body.read.len > call->rule->max_body ? "max_body" : "READFUNCTION paused or gave up";
  return call->body.span.len > call->rule->max_body ? "max_body" : NULL;
}

/* What goes along from libcurl's cookie engine says who asks, as a Cookie header does. */
static const char *build_cookies(struct call *call)
{
  if (!call->shadow->cookie_engine && !call->shadow->shared)
    return NULL;
  if (!cookies_sent(call->shadow, &call->cookies))
    return "no memory for cookies";
  if (call->cookies.len)
    call->credentials[call->request.credential_count++] =
        (struct idem_span){call->cookies.data, call->cookies.len};
  return NULL;
}

static const char *shadow_reason(const struct shadow *shadow, char room[24])
{
  const char *reason = shadow_needs(shadow, NEEDS_LIVE, room);
  /* Some versions send a PUT then, and others a POST. */
  if (!reason && shadow->upload && shadow->request != HTTP_PUT)
    reason = "UPLOAD and another method";
  if (!reason && !protocol_allowed(shadow))
    reason = "PROTOCOLS";
  return reason;
}

static const char *first_reason(struct call *call, char room[24])
{
  const char *reason = shadow_reason(call->shadow, room);
  if (!reason)
    reason = build_origin(call);
  if (!reason)
    reason = build_headers(call);
  if (!reason)
    reason = build_shape(call);
  if (!reason)
    reason = build_cookies(call);
  return reason;
}

const char *call_open(struct call *call, struct shadow *shadow, const struct idem_rule *rule, char room[24])
{
  call->shadow = shadow;
  call->rule = rule;
  zero(&call->op, offsetof(struct call, started_us) - offsetof(struct call, op));
  idem_call_init(&call->op);
  call->request.rule = rule;
  call->body.shadow = shadow;
  call->speed = rule->pace == IDEM_PACE_ORIGINAL;
  call->tape.writer = NULL;
  call->tape.played = false;
  build_line(call);
  build_credentials(call);
  const char *reason = rule->action == IDEM_ACTION_BYPASS ? "action=bypass" : first_reason(call, room);
  /* The app's reader is not touched before it is certain that the body matters. */
  return reason ? reason : build_body(call);
}

void call_release(struct call *call)
{
  body_release(&call->body);
  buffer_release(&call->cookies);
  playback_release(call);
  if (call->stream)
    stream_free(call);
}

void call_leave(struct call *call, bool delivered)
{
  if (call->api)
    call->api->leave(call->store, &call->op, delivered);
}

void call_unpin(struct call *call)
{
  if (call->api)
    call->api->unpin(call->store, &call->op);
}

bool call_lend_rest_of_time(const struct call *call)
{
  const struct shadow *shadow = call->shadow;
  long limit = (long)shadow->slot[SLOT_TIMEOUT_MS],
       spent = (long)((monotonic_us() - call->started_us) / 1000);
  if (!call->op.waited || limit <= 0)
    return false;
  shadow->lib->easy_setopt(shadow->handle, CURLOPT_TIMEOUT_MS, spent < limit ? limit - spent : 1L);
  return true;
}

int64_t call_due_us(const struct call *call, int64_t at_us)
{
  return call->speed > 0 ? call->started_us + (int64_t)((double)at_us / call->speed) : 0;
}

int64_t call_chunk_us(const struct call *call, size_t i)
{
  const struct tape_outcome *recorded = &call->tape.record.outcome;
  if (call->tape.played)
    return i < recorded->chunk_count ? (int64_t)recorded->chunks[i].at_us : 0;
  return (int64_t)call->op.answer.chunks[i].at_ms * 1000;
}

static void write_event(const struct call *call, struct event event)
{
  event.id = call->op.id[0] ? call->op.id : NULL;
  event.request = call->shadow->disturbed ? NULL : &call->request;
  event_write(&event);
}

void call_event(const struct call *call, const char *name, const char *reason, int status, int64_t ms)
{
  write_event(call, (struct event){.name = name, .reason = reason, .status = status, .ms = ms});
}

void call_delivered(const struct call *call, const char *via)
{
  if (!settings()->log)
    return;
  write_event(call, (struct event){
                        .name = call->tape.played ? "replayed"
                                : call->op.waited ? "join"
                                                  : "hit",
                        .via = via,
                        .status = call->op.answer.status,
                        .ms = (monotonic_us() - call->started_us) / 1000,
                    });
}

void call_bypass(const struct call *call, const char *reason)
{
  report_count(IDEM_COUNTER_bypass);
  call_event(call, "bypass", reason, 0, -1);
}
