/* SPDX-License-Identifier: MIT */
/*
 * A piece is cut into lines where it lies; only the line that is not over is copied, to be gone on with. Of
 * an event the data lines are gathered until an empty line ends it. Nothing is looked at twice, however the
 * pieces are cut.
 */
#include "store/judge/event_stream.h"

#include <stdlib.h>
#include <string.h>

/* How many bytes are before the end of the line. In strides, for a text without any LF would be searched for
 * one again with each CR. */
static size_t line_length(const char *at, size_t len)
{
  for (size_t done = 0; done < len;) {
    size_t stride = len - done < 128 ? len - done : 128;
    const char *lf = memchr(at + done, '\n', stride);
    const char *cr = memchr(at + done, '\r', lf ? (size_t)(lf - at) - done : stride);
    if (cr || lf)
      return (size_t)((cr ? cr : lf) - at);
    done += stride;
  }
  return len;
}

/* CRLF, LF and CR all end a line, as in the HTML standard. */
bool event_stream_line(struct idem_span *rest, struct idem_span *line)
{
  if (!rest->len)
    return false;
  size_t len = line_length(rest->data, rest->len);
  *line = (struct idem_span){rest->data, len};
  size_t used = len < rest->len ? len + 1 : len;
  if (used < rest->len && rest->data[len] == '\r' && rest->data[used] == '\n')
    used++;
  *rest = (struct idem_span){rest->data + used, rest->len - used};
  return true;
}

/* Twice what is needed, so that a long event is copied a few times and not once for each piece. */
bool event_text_add(struct event_text *text, struct idem_span more)
{
  if (text->room - text->len < more.len) {
    size_t room = 2 * (text->len + more.len) + 256;
    char *grown = realloc(text->data, room);
    if (!grown)
      return false;
    text->data = grown;
    text->room = room;
  }
  if (more.len)
    memcpy(text->data + text->len, more.data, more.len);
  text->len += more.len;
  return true;
}

/* To a browser an event without a data line is none (HTML, "dispatch the event"); but some say by a name
 * alone that the stream is over, or has failed. The empty line that ends it must have come: of one that is
 * cut off there may have been more. */
static void dispatch(struct event_stream *stream, bool closed)
{
  if (stream->has_data || (stream->strays && closed && stream->name.len))
    stream->take(stream->arg, (struct idem_span){stream->name.data, stream->name.len},
                 (struct idem_span){stream->data.data, stream->data.len});
  stream->data.len = stream->name.len = 0;
  stream->has_data = false;
}

/* "name: value" or "name:value"; a line without colon is a name alone. */
static bool field_is(struct idem_span line, const char *name, struct idem_span *value)
{
  size_t len = strlen(name);
  if (line.len < len || memcmp(line.data, name, len) != 0 || (line.len > len && line.data[len] != ':'))
    return false;
  size_t skip = line.len > len ? len + 1 : len;
  if (skip < line.len && line.data[skip] == ' ')
    skip++;
  *value = (struct idem_span){line.data + skip, line.len - skip};
  return true;
}

/* Of the fields of an event two count. `id`, `retry` and comments, which begin with a colon and keep
 * connections alive, say nothing of the answer. What is no field of the standard is how servers fail in the
 * middle of a stream: a line "error: {...}" of llama.cpp's, and an object that somebody has written as it
 * is. */
static void take_line(struct event_stream *stream, struct idem_span line)
{
  struct idem_span value;
  if (!stream->begun && line.len >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0)
    line = (struct idem_span){line.data + 3, line.len - 3};
  stream->begun = true;
  if (!stream->events) {
    if (line.len)
      stream->take(stream->arg, (struct idem_span){"", 0}, line);
  } else if (!line.len) {
    dispatch(stream, true);
  } else if (field_is(line, "event", &value)) {
    stream->name.len = 0;
    stream->failed |= !event_text_add(&stream->name, value);
  } else if (field_is(line, "data", &value)) {
    if (stream->has_data)
      stream->failed |= !event_text_add(&stream->data, (struct idem_span){"\n", 1});
    stream->failed |= !event_text_add(&stream->data, value);
    stream->has_data = true;
  } else if (stream->strays && field_is(line, "error", &value)) {
    stream->take(stream->arg, (struct idem_span){"error", value.len ? 5 : 0}, value);
  } else if (stream->strays && *line.data == '{') {
    stream->take(stream->arg, (struct idem_span){"", 0}, line);
  }
}

/* A line that came whole is taken where it stands. */
static void end_line(struct event_stream *stream, struct idem_span rest)
{
  if (!stream->line.len) {
    take_line(stream, rest);
    return;
  }
  stream->failed |= !event_text_add(&stream->line, rest);
  if (!stream->failed)
    take_line(stream, (struct idem_span){stream->line.data, stream->line.len});
  stream->line.len = 0;
}

void event_stream_feed(struct event_stream *stream, struct idem_span piece, bool last)
{
  const char *at = piece.data, *end = piece.data + piece.len;
  while (at < end && !stream->failed) {
    /* The line ended with the CR, in the piece before this one or in this. */
    if (stream->after_cr && *at == '\n')
      at++;
    stream->after_cr = false;
    size_t left = (size_t)(end - at), len = line_length(at, left);
    if (len == left) {
      stream->failed |= !event_text_add(&stream->line, (struct idem_span){at, len});
      break;
    }
    stream->after_cr = at[len] == '\r';
    end_line(stream, (struct idem_span){at, len});
    at += len + 1;
  }
  if (last && !stream->failed) {
    if (stream->line.len)
      end_line(stream, (struct idem_span){"", 0});
    dispatch(stream, false);
  }
}

void event_stream_release(struct event_stream *stream)
{
  free(stream->line.data);
  free(stream->data.data);
  free(stream->name.data);
}
