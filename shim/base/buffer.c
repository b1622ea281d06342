/* SPDX-License-Identifier: MIT */
#include "shim/base/buffer.h"

#include <stdlib.h>
#include <string.h>

char *buffer_grow(struct buffer *buffer, size_t more)
{
  size_t need = buffer->len + more;
  /* By half of it each time, so that what comes in many pieces is moved few times. */
  size_t room = buffer->room ? buffer->room : 256;
  while (room < need)
    room += room / 2;
  char *data = realloc(buffer->data, room);
  if (!data)
    return NULL;
  buffer->data = data;
  buffer->room = room;
  return data + buffer->len;
}

bool buffer_append(struct buffer *buffer, const void *data, size_t len)
{
  if (!len)
    return true;
  char *to = buffer_reserve(buffer, len);
  if (!to)
    return false;
  memcpy(to, data, len);
  buffer->len += len;
  return true;
}

bool buffer_set(struct buffer *buffer, const void *data, size_t len, size_t more)
{
  bool fits = len + more <= buffer->room;
  char *to = fits ? buffer->data : realloc(buffer->data, len + more);
  buffer->len = 0;
  if (len && !to)
    return false;
  if (!fits && to)
    buffer->room = len + more;
  if (to)
    buffer->data = to;
  if (len)
    memcpy(to, data, len);
  buffer->len = len;
  return true;
}

void buffer_free(struct buffer *buffer)
{
  free(buffer->data);
  *buffer = (struct buffer){0};
}
