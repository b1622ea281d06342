/* SPDX-License-Identifier: MIT */
/* buffer: bytes that grow. Running out of memory is remembered, so that one check at the end is enough. */
#ifndef IDEMSHIM_TAPE_BUFFER_H
#define IDEMSHIM_TAPE_BUFFER_H

#include "store/store.h"

#include <stdlib.h>
#include <string.h>

struct tape_buffer {
  char *data;
  size_t len, room;
  bool failed;
};

/* Room for so many more bytes at the end; NULL without memory. */
static inline char *tape_buffer_extend(struct tape_buffer *buffer, size_t len)
{
  if (!buffer->failed && len > buffer->room - buffer->len) {
    size_t room = buffer->len + len + buffer->len / 2 + 256;
    char *data = realloc(buffer->data, room);
    buffer->failed = !data;
    buffer->data = data ? data : buffer->data;
    buffer->room = data ? room : buffer->room;
  }
  if (buffer->failed)
    return NULL;
  buffer->len += len;
  return buffer->data + buffer->len - len;
}

static inline void tape_buffer_add(struct tape_buffer *buffer, const void *data, size_t len)
{
  char *place = len ? tape_buffer_extend(buffer, len) : NULL;
  if (place)
    memcpy(place, data, len);
}

static inline void tape_buffer_span(struct tape_buffer *buffer, struct idem_span span)
{
  tape_buffer_add(buffer, span.data, span.len);
}

static inline void tape_buffer_text(struct tape_buffer *buffer, const char *text)
{
  tape_buffer_add(buffer, text, strlen(text));
}

#endif
