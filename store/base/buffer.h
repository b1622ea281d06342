/* SPDX-License-Identifier: MIT */
/*
 * buffer: bytes that grow. Running out of memory is remembered, so that one check at the end is enough.
 *
 *     struct buffer out = {0};
 *     buffer_span(&out, name);
 *     buffer_text(&out, ": ");
 *     if (!out.failed) ...                  out.data and out.len
 *     free(out.data);
 *
 * A buffer belongs to who declares it; its data is NULL while nothing was added.
 */
#ifndef IDEMSHIM_STORE_BUFFER_H
#define IDEMSHIM_STORE_BUFFER_H

#include "store/store.h"

#include <stdlib.h>
#include <string.h>

struct buffer {
  char *data;
  size_t len, room;
  bool failed;
};

/* Room for so many more bytes at the end; NULL without memory. */
static inline char *buffer_extend(struct buffer *buffer, size_t len)
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

static inline void buffer_add(struct buffer *buffer, const void *data, size_t len)
{
  char *place = len ? buffer_extend(buffer, len) : NULL;
  if (place)
    memcpy(place, data, len);
}

static inline void buffer_span(struct buffer *buffer, struct idem_span span)
{
  buffer_add(buffer, span.data, span.len);
}

static inline void buffer_text(struct buffer *buffer, const char *text)
{
  buffer_add(buffer, text, strlen(text));
}

#endif
