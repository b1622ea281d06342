/* SPDX-License-Identifier: MIT */
#include "store/judge/stream_end.h"

#include "store/judge/document.h"
#include "store/judge/event_stream.h"

#include <string.h>

/* text/event-stream */

static int read_event(void *arg, struct idem_span name, struct idem_span data)
{
  static const char done[] = "[DONE]";
  struct stream *stream = arg;
  struct document document = {.usage = stream->usage};
  document_read(data, &document);
  if (data.len == sizeof(done) - 1 && memcmp(data.data, done, data.len) == 0)
    stream->ended = true;
  stream->failed |= document_is_failure(name);
  if (!document.json)
    return 0;
  stream->failed |= document.failed || document.error;
  stream->ended = (stream->ended || document.ended) && !document.goes_on;
  stream->usage = document.usage;
  return 0;
}

int stream_read_events(struct idem_span body, struct stream *stream)
{
  return sse_each(body, read_event, stream);
}

/* application/x-ndjson */

int stream_read_lines(struct idem_span body, struct stream *stream)
{
  struct idem_span line;
  while (sse_line(&body, &line)) {
    if (!line.len)
      continue;
    struct document document = {.usage = stream->usage};
    document_read(line, &document);
    stream->malformed |= !document.json || !document.container;
    stream->failed |= document.error;
    stream->ended = document.done;
    stream->usage = document.usage;
  }
  return 0;
}
