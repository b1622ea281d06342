/* SPDX-License-Identifier: MIT */
/* What is known of an exchange beyond its bytes: how its call is written, what kind of answer it
 * is, whether it failed, what it cost. */
#include "cli/view/exchange.h"

#include "cli/output/units.h"
#include "store/judge/event_stream.h"
#include "store/judge/judge.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Spans are shared, nothing is copied; it lives as long as the record. */
struct idem_answer cli_record_view(const struct tape_record *record)
{
  return (struct idem_answer){.method = record->method,
                              .origin = record->origin,
                              .path = record->path,
                              .query = record->query,
                              .request_headers = record->request_headers,
                              .request_body = record->request_body,
                              .headers = record->outcome.headers,
                              .body = record->outcome.body};
}

/* The call. */

/* Spans have no NUL behind them. */
static bool starts_with(struct idem_span text, const char *start)
{
  size_t len = strlen(start);
  return text.len >= len && memcmp(text.data, start, len) == 0;
}

/* The same for the other end. */
static bool ends_with(struct idem_span text, const char *end)
{
  size_t len = strlen(end);
  return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

/* One function for all forms, so that a port or a query is left out in the same way everywhere. */
char *cli_call_text(const struct idem_answer *answer, enum cli_call_form form)
{
  struct idem_span method = answer->method, origin = answer->origin, query = answer->query;
  char *text;
  if (starts_with(origin, "https://") && ends_with(origin, ":443"))
    origin.len -= strlen(":443");
  else if (starts_with(origin, "http://") && ends_with(origin, ":80"))
    origin.len -= strlen(":80");
  if (form == CLI_CALL_SHORT) {
    size_t skip = starts_with(origin, "https://") ? strlen("https://") : 0;
    origin = (struct idem_span){origin.data + skip, origin.len - skip};
    query.len = 0;
  }
  /* In a list nearly every call is a POST, so that only another method is said. */
  if (form == CLI_CALL_URL || (form == CLI_CALL_SHORT && method.len == 4 && starts_with(method, "POST")))
    method.len = 0;
  int len = asprintf(&text, "%.*s%s%.*s%.*s%s%.*s", (int)method.len, method.data, method.len ? " " : "",
                     (int)origin.len, origin.data, (int)answer->path.len, answer->path.data,
                     query.len ? "?" : "", (int)query.len, query.data);
  return len < 0 ? NULL : text;
}

/* By what the response says of itself; the body is not looked at. */
const char *cli_answer_kind(const struct idem_answer *answer)
{
  struct idem_span type = cli_header(answer->headers, "Content-Type");
  if (answer->event_stream)
    return "stream";
  return type.len && memmem(type.data, type.len, "json", 4) ? "json" : "other";
}

/* A number of a newer version is "?", not a crash. */
const char *cli_answer_key_kind(const struct idem_answer *answer)
{
  static const char *const names[] = {
      [IDEM_KEY_AUTO] = "auto",
      [IDEM_KEY_HEADER] = "header",
      [IDEM_KEY_JSON] = "json",
      [IDEM_KEY_CONTENT] = "content",
  };
  return (size_t)answer->key_kind < sizeof(names) / sizeof(names[0]) ? names[answer->key_kind] : "?";
}

/* ttl= is decided on read, so whether an answer is old is a question of now. */
bool cli_answer_expired(const struct idem_answer *answer, int64_t now_us)
{
  return answer->expires_us <= now_us;
}

/* Headers. */

/* Each block begins with a status line. */
struct idem_span cli_last_block(struct idem_span headers)
{
  struct idem_span rest = headers, line, block = headers;
  while (event_stream_line(&rest, &line))
    if (starts_with(line, "HTTP/"))
      block = (struct idem_span){line.data, (size_t)(headers.data + headers.len - line.data)};
  return block;
}

/* The first of that name, without the blanks before its value. */
struct idem_span cli_header(struct idem_span headers, const char *name)
{
  struct idem_span rest = cli_last_block(headers), line;
  size_t len = strlen(name);
  while (event_stream_line(&rest, &line)) {
    if (line.len <= len || line.data[len] != ':' || strncasecmp(line.data, name, len) != 0)
      continue;
    struct idem_span value = {line.data + len + 1, line.len - len - 1};
    while (value.len && *value.data == ' ')
      value = (struct idem_span){value.data + 1, value.len - 1};
    return value;
  }
  return (struct idem_span){"", 0};
}

/* Parameters such as charset may stand behind the type. */
bool cli_is_event_stream(struct idem_span headers)
{
  static const char type[] = "text/event-stream";
  struct idem_span value = cli_header(headers, "Content-Type");
  return value.len >= sizeof(type) - 1 && strncasecmp(value.data, type, sizeof(type) - 1) == 0;
}

/* What came of it. */

/* What the app would have to handle: a transfer that broke off, a status from 400 on, or what only
 * looks like an answer. */
bool cli_record_failed(const struct tape_record *record)
{
  enum { FAILURE = 400 };
  return record->outcome.curl_code != 0 || record->outcome.status >= FAILURE || record->outcome.no_answer;
}

/* A tape keeps bodies and no usage, so it is read from them by the code with which the store
 * reads it when an answer comes. */
struct idem_usage cli_record_usage(const struct tape_record *record)
{
  const struct tape_outcome *outcome = &record->outcome;
  return judge_usage(outcome->headers, outcome->body, outcome->encoded);
}

/* Both numbers at once, for they are always printed together. */
struct cli_tokens cli_tokens(const struct idem_usage *usage, const char *unknown)
{
  struct cli_tokens tokens;
  _Static_assert(sizeof tokens.input == CLI_UNIT_SIZE, "a number fits");
  strcpy(tokens.input, unknown);
  strcpy(tokens.output, unknown);
  if (usage->input >= 0)
    cli_count(tokens.input, (uint64_t)usage->input);
  if (usage->output >= 0)
    cli_count(tokens.output, (uint64_t)usage->output);
  return tokens;
}
