/* SPDX-License-Identifier: MIT */
#include "store/key/json_depth.h"

#include <stdio.h>

/* Past the string that begins at `at`. */
static size_t skip_string(struct idem_span text, size_t at)
{
  for (at++; at < text.len && text.data[at] != '"'; at++)
    at += text.data[at] == '\\';
  return at;
}

static bool is_shallow(struct idem_span text)
{
  unsigned depth = 0;
  for (size_t at = 0; at < text.len && depth <= SHALLOW_DEPTH; at++)
    switch (text.data[at]) {
    case '"':
      at = skip_string(text, at);
      break;
    case '{':
    case '[':
      depth++;
      break;
    case '}':
    case ']':
      depth -= depth > 0;
      break;
    }
  return depth <= SHALLOW_DEPTH;
}

json_t *shallow_load(struct idem_span text, size_t flags, json_error_t *error)
{
  if (is_shallow(text))
    return json_loadb(text.data, text.len, flags, error);
  if (error) {
    *error = (json_error_t){.line = -1};
    snprintf(error->text, sizeof(error->text), "nested more than %d levels deep", SHALLOW_DEPTH);
  }
  return NULL;
}
