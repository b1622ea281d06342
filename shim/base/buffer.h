/* SPDX-License-Identifier: MIT */
/*
 * buffer: bytes that grow, and keep their memory when they are emptied.
 *
 *     struct buffer text = {0};
 *     if (!buffer_append(&text, "a", 1))
 *       ...no memory, and nothing was appended...
 *     text.len = 0;             // the next use allocates nothing
 *     buffer_release(&text);
 *
 * A buffer belongs to who declares it, and takes no lock. All zero is an empty one.
 */
#ifndef IDEMSHIM_SHIM_BUFFER_H
#define IDEMSHIM_SHIM_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* `len` bytes of `room` are used. `data` is NULL as long as nothing was allocated; no NUL stands behind
 * it. */
struct buffer {
  char *data;
  size_t len, room;
};

/* Where `more` bytes can be written after `len`, which the caller then raises; NULL without memory. The
 * bytes may move, so what pointed into them does no longer; without memory they are what they were. It calls
 * buffer_grow() where there is no room. */
char *buffer_grow(struct buffer *buffer, size_t more);
static inline char *buffer_reserve(struct buffer *buffer, size_t more)
{
  return buffer->len + more <= buffer->room ? buffer->data + buffer->len : buffer_grow(buffer, more);
}

bool buffer_append(struct buffer *buffer, const void *data, size_t len);

/* The buffer holds these bytes and no others, with room for `more` behind them, and needs no more memory than
 * that: for a text that is kept for long and set as a whole. False without memory, and then it is empty. */
bool buffer_set(struct buffer *buffer, const void *data, size_t len, size_t more);

/* Gives the memory back and empties it. buffer_release() is the same, and no call where there is nothing. */
void buffer_free(struct buffer *buffer);
static inline void buffer_release(struct buffer *buffer)
{
  if (buffer->data)
    buffer_free(buffer);
}

/* memset(place, 0, len) as a call. gcc writes `rep stos` for a length that it knows, which takes 12 ns to
 * begin: too long for what every hit does. */
static inline void buffer_zero(void *place, size_t len)
{
  __asm__("" : "+r"(len)); /* hides what the length was */
  memset(place, 0, len);
}

#endif
