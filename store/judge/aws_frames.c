/* SPDX-License-Identifier: MIT */
/* application/vnd.amazon.eventstream, as Bedrock sends it: length, length of headers, checksum, headers,
 * payload, checksum. */
#include "store/judge/document.h"
#include "store/judge/stream_end.h"

#include <string.h>

enum { FRAME_PRELUDE = 12, FRAME_END = 4, VALUE_STRING = 7 };

static size_t big_endian(const char *data, size_t len)
{
  size_t value = 0;
  for (size_t i = 0; i < len; i++)
    value = value << 8 | (uint8_t)data[i];
  return value;
}

static bool is(struct idem_span text, const char *word)
{
  return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}

/* Takes one header of type string off the front; false at the end, or at one that is something else. */
static bool next_header(struct idem_span *rest, struct idem_span *name, struct idem_span *value)
{
  size_t name_len = rest->len ? (uint8_t)rest->data[0] : 0;
  size_t head = 1 + name_len + 1 + 2;
  if (rest->len < head || rest->data[1 + name_len] != VALUE_STRING)
    return false;
  size_t value_len = big_endian(rest->data + head - 2, 2);
  if (value_len > rest->len - head)
    return false;
  *name = (struct idem_span){rest->data + 1, name_len};
  *value = (struct idem_span){rest->data + head, value_len};
  *rest = (struct idem_span){value->data + value_len, rest->len - head - value_len};
  return true;
}

static void read_frame(struct idem_span headers, struct idem_span payload, struct stream *stream)
{
  struct idem_span name, value;
  while (next_header(&headers, &name, &value))
    if (is(name, ":exception-type") || is(name, ":error-code") ||
        (is(name, ":message-type") && !is(value, "event")))
      stream->failed = true;
  struct document document = {.usage = stream->usage};
  document_read(payload, &document);
  stream->usage = document.json ? document.usage : stream->usage;
}

int stream_read_frames(struct idem_span body, struct stream *stream)
{
  while (body.len) {
    size_t total = body.len >= FRAME_PRELUDE ? big_endian(body.data, 4) : 0;
    size_t headers = body.len >= FRAME_PRELUDE ? big_endian(body.data + 4, 4) : 0;
    if (total < FRAME_PRELUDE + FRAME_END || total > body.len ||
        headers > total - FRAME_PRELUDE - FRAME_END) {
      stream->malformed = true;
      return 0;
    }
    const char *payload = body.data + FRAME_PRELUDE + headers;
    read_frame((struct idem_span){body.data + FRAME_PRELUDE, headers},
               (struct idem_span){payload, total - FRAME_PRELUDE - FRAME_END - headers}, stream);
    body = (struct idem_span){body.data + total, body.len - total};
    stream->ended = true;
  }
  return 0;
}
