/* SPDX-License-Identifier: MIT */
/*
 * span: bytes that lie somewhere else, as the store's interface has them (struct idem_span).
 *
 *     struct idem_span rest = span_of_buffer(&headers), line;
 *     while ((line = span_cut_line(&rest)).len)
 *       ...one line, with its newline...
 *
 * Nothing is copied or owned: a span is good for as long as what it points into stays where it is.
 */
#ifndef IDEMSHIM_SHIM_SPAN_H
#define IDEMSHIM_SHIM_SPAN_H

#include "shim/base/buffer.h"
#include "store/store.h"

#include <string.h>

/* A text without its NUL; NULL is an empty one. */
static inline struct idem_span span_of(const char *text)
{
  return text ? (struct idem_span){text, strlen(text)} : (struct idem_span){"", 0};
}

static inline struct idem_span span_of_buffer(const struct buffer *buffer)
{
  return (struct idem_span){buffer->data, buffer->len};
}

/* The bytes between two pointers into one text. */
static inline struct idem_span span_between(const char *from, const char *to)
{
  return (struct idem_span){from, (size_t)(to - from)};
}

/* Takes the first line off `rest` and returns it with its newline, if it has one; empty where nothing is
 * left. */
static inline struct idem_span span_cut_line(struct idem_span *rest)
{
  const char *newline = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
  struct idem_span line = {rest->data, newline ? (size_t)(newline + 1 - rest->data) : rest->len};
  rest->data += line.len;
  rest->len -= line.len;
  return line;
}

#endif
