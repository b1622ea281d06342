/* SPDX-License-Identifier: MIT */
/*
 * room_text: texts that are put together in rooms of a request's own, so that a hit allocates nothing.
 *
 *     struct text text = {request->origin, 0, sizeof(request->origin)};
 *     add_text(&text, "https://");
 *     add_port(&text, 443);
 *     return take_text(&request->bytes.origin, &text, "origin too long");   // NULL, or the reason
 *
 * Once a text does not fit, its `len` is more than the room, and nothing that is added later changes that.
 */
#ifndef IDEMSHIM_SHIM_REQUEST_ROOM_TEXT_H
#define IDEMSHIM_SHIM_REQUEST_ROOM_TEXT_H

#include "shim/base/span.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct text {
  char *at;
  size_t len, room;
};

static inline void add(struct text *text, const char *data, size_t len)
{
  if (text->len <= text->room && len <= text->room - text->len)
    memcpy(text->at + text->len, data, len);
  text->len += len;
}

static inline void add_text(struct text *text, const char *data)
{
  add(text, data, strlen(data));
}

/* Adds "NAME VALUE", unless there is no value. */
static inline void add_pair(struct text *text, const char *name, const char *value)
{
  if (!value)
    return;
  add_text(text, name);
  add_text(text, value);
}

static inline void add_number(struct text *text, const char *name, long long value)
{
  char digits[24];
  snprintf(digits, sizeof(digits), "%lld", value);
  add_pair(text, name, value ? digits : NULL);
}

static inline bool fits(const struct text *text)
{
  return text->len <= text->room;
}

/* Puts a text that is complete where the store looks for it. What did not fit is nothing, for the log would
 * read past its end; `reason` is then returned. */
static inline const char *take_text(struct idem_span *span, const struct text *text, const char *reason)
{
  *span = (struct idem_span){text->at, fits(text) ? text->len : 0};
  return fits(text) ? NULL : reason;
}

static inline void add_lower(struct text *text, const char *data, size_t len)
{
  add(text, data, len);
  if (!fits(text))
    return;
  char *at = text->at + text->len - len;
  for (size_t i = 0; i < len; i++)
    at[i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] | 0x20) : at[i];
}

static inline void add_port(struct text *text, unsigned port)
{
  char digits[6];
  size_t at = sizeof(digits);
  do
    digits[--at] = (char)('0' + port % 10);
  while (port /= 10);
  add(text, digits + at, sizeof(digits) - at);
}

#endif
