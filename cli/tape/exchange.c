/* SPDX-License-Identifier: MIT */
#include "cli/view/exchange.h"
#include "cli/tape/tape.h"
#include "store/judge/document.h"
#include "store/judge/event_stream.h"
#include "store/judge/stream_end.h"

#include <string.h>
#include <strings.h>

enum { STATUS_FAILURE = 400 };

static struct idem_answer as_answer(const struct tape_record *record)
{
  return (struct idem_answer){
      .method = record->method, .origin = record->origin, .path = record->path, .query = record->query};
}

void cli_tape_put_url(FILE *out, const struct tape_record *record)
{
  struct idem_answer answer = as_answer(record);
  cli_answer_put_url(out, &answer);
}

void cli_tape_put_short_url(FILE *out, const struct tape_record *record)
{
  struct idem_answer answer = as_answer(record);
  cli_answer_put_short_call(out, &answer);
}

bool cli_tape_failed(const struct tape_record *record)
{
  return record->outcome.curl_code != 0 || record->outcome.status >= STATUS_FAILURE;
}

/* Headers. */

static bool is_status_line(struct idem_span line)
{
  return line.len >= 5 && memcmp(line.data, "HTTP/", 5) == 0;
}

struct idem_span cli_tape_last_block(struct idem_span headers)
{
  struct idem_span rest = headers, line, block = headers;
  while (sse_line(&rest, &line))
    if (is_status_line(line))
      block = (struct idem_span){line.data, (size_t)(headers.data + headers.len - line.data)};
  return block;
}

struct idem_span cli_tape_header(const struct tape_record *record, const char *name)
{
  struct idem_span rest = cli_tape_last_block(record->outcome.headers), line;
  size_t len = strlen(name);
  while (sse_line(&rest, &line)) {
    if (line.len <= len || line.data[len] != ':' || strncasecmp(line.data, name, len) != 0)
      continue;
    struct idem_span value = {line.data + len + 1, line.len - len - 1};
    while (value.len && *value.data == ' ')
      value = (struct idem_span){value.data + 1, value.len - 1};
    return value;
  }
  return (struct idem_span){"", 0};
}

bool cli_tape_is_stream(const struct tape_record *record)
{
  static const char type[] = "text/event-stream";
  struct idem_span value = cli_tape_header(record, "Content-Type");
  return value.len >= sizeof(type) - 1 && strncasecmp(value.data, type, sizeof(type) - 1) == 0;
}

struct idem_usage cli_tape_usage(const struct tape_record *record)
{
  struct stream stream = {.usage = {-1, -1}};
  struct idem_span body = record->outcome.body;
  if (record->outcome.encoded || !body.len)
    return stream.usage;
  if (cli_tape_is_stream(record)) {
    stream_read_events(body, &stream);
  } else if (*body.data == '{' || *body.data == '[') {
    struct document document = DOCUMENT_INIT;
    document_read(body, &document);
    if (document.json)
      stream.usage = document.usage;
  }
  return stream.usage;
}
