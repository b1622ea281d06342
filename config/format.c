/* SPDX-License-Identifier: MIT */
#include "config/field.h"

#include <string.h>

/* A value may be a little longer than what was read: an address grows in its normal form. */
#define ROOM (IDEM_VALUE_MAX + 64)

static void add_value(struct idem_text *text, const char *value)
{
  /* A value that has one kind of quote was written in the other, so it never has both. */
  const char *quote = strchr(value, '"') ? "'" : "\"";
  bool bare = !strpbrk(value, " ;#\"'");

  idem_text_add_string(text, bare ? "" : quote);
  idem_text_add_string(text, value);
  idem_text_add_string(text, bare ? "" : quote);
}

size_t idem_rule_format(const struct idem_rule *rule, char *out, size_t size)
{
  struct idem_text text = {.out = out, .size = size};

  if (size)
    out[0] = '\0';
  for (size_t i = 0; i < IDEM_FIELD_COUNT; i++) {
    char room[ROOM] = "";
    struct idem_text value = {.out = room, .size = sizeof room};
    idem_fields[i].format(&idem_fields[i], rule, &value);
    if (!strcmp(room, idem_field_docs[i].fallback))
      continue;
    idem_text_add_string(&text, text.len ? " " : "");
    idem_text_add_string(&text, idem_fields[i].name);
    idem_text_add_string(&text, "=");
    add_value(&text, room);
  }
  return text.len;
}
