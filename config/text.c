/* SPDX-License-Identifier: MIT */
#include "config/text.h"

#include <string.h>

void idem_text_add(struct idem_text *text, const char *data, size_t len)
{
  if (text->len + 1 < text->size) {
    size_t room = text->size - 1 - text->len;
    size_t part = len < room ? len : room;
    memcpy(text->out + text->len, data, part);
    text->out[text->len + part] = '\0';
  }
  text->len += len;
}

void idem_text_add_string(struct idem_text *text, const char *string)
{
  idem_text_add(text, string, strlen(string));
}

void idem_text_add_number(struct idem_text *text, uint64_t number)
{
  char digits[20]; /* 2^64 has that many */
  size_t at = sizeof digits;

  do
    digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  idem_text_add(text, digits + at, sizeof digits - at);
}
