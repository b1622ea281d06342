/* SPDX-License-Identifier: MIT */
#include "tape/json_place.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A text that parses is still read with an end in mind: whoever calls this may be wrong about it. */
struct place {
  const char *at, *end;
};

static bool is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct place *place)
{
  while (place->at < place->end && is_blank(*place->at))
    place->at++;
}

static bool take(struct place *place, char c)
{
  skip_blanks(place);
  if (place->at >= place->end || *place->at != c)
    return false;
  place->at++;
  return true;
}

static void skip_string(struct place *place)
{
  for (place->at++; place->at < place->end && *place->at != '"'; place->at++)
    if (*place->at == '\\')
      place->at++;
  place->at += place->at < place->end;
  if (place->at > place->end)
    place->at = place->end;
}

static void skip_value(struct place *place)
{
  unsigned depth = 0;
  skip_blanks(place);
  do {
    if (place->at >= place->end)
      return;
    char c = *place->at;
    if (c == '"') {
      skip_string(place);
      continue;
    }
    if (depth == 0 && strchr(",]} \t\r\n", c))
      return;
    depth += c == '{' || c == '[';
    depth -= c == '}' || c == ']';
    place->at++;
  } while (depth || (place->at < place->end && !strchr(",]} \t\r\n\"{[", place->at[0])));
}

/* One token of the pointer, with ~1 and ~0 undone; the caller frees it. */
static char *next_token(const char **pointer)
{
  const char *from = *pointer + 1;
  size_t len = strcspn(from, "/"), out = 0;
  char *token = malloc(len + 1);
  *pointer = from + len;
  for (size_t i = 0; token && i < len; i++) {
    bool escaped = from[i] == '~' && i + 1 < len && (from[i + 1] == '0' || from[i + 1] == '1');
    token[out++] = !escaped ? from[i] : from[++i] == '0' ? '~' : '/';
  }
  if (token)
    token[out] = '\0';
  return token;
}

/* `name` as it is written, with its quotes. */
static bool is_name(struct idem_span name, const char *token)
{
  size_t len = strlen(token);
  if (!memchr(name.data, '\\', name.len))
    return name.len == len + 2 && memcmp(name.data + 1, token, len) == 0;
  json_t *json = json_loadb(name.data, name.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  bool same = json && json_string_length(json) == len && memcmp(json_string_value(json), token, len) == 0;
  json_decref(json);
  return same;
}

static bool enter_object(struct place *place, const char *token)
{
  do {
    skip_blanks(place);
    if (place->at >= place->end || *place->at != '"')
      return false;
    struct idem_span name = {place->at, 0};
    skip_string(place);
    name.len = (size_t)(place->at - name.data);
    if (!take(place, ':'))
      return false;
    if (is_name(name, token))
      return true;
    skip_value(place);
  } while (take(place, ','));
  return false;
}

static bool enter_array(struct place *place, const char *token)
{
  char *end;
  unsigned long index = strtoul(token, &end, 10);
  if (*end || token[0] < '0' || token[0] > '9' || (token[0] == '0' && token[1]))
    return false;
  for (; index > 0; index--) {
    skip_value(place);
    if (!take(place, ','))
      return false;
  }
  skip_blanks(place);
  return place->at < place->end && *place->at != ']';
}

static bool enter(struct place *place, const char **pointer)
{
  char *token = next_token(pointer);
  bool inside = token && ((take(place, '{') && enter_object(place, token)) ||
                          (take(place, '[') && enter_array(place, token)));
  free(token);
  return inside;
}

struct idem_span tape_json_place(struct idem_span text, const char *pointer)
{
  struct place place = {text.data, text.data + text.len};
  while (*pointer == '/')
    if (!enter(&place, &pointer))
      return (struct idem_span){"", 0};
  skip_blanks(&place);
  const char *from = place.at;
  skip_value(&place);
  return (struct idem_span){from, (size_t)(place.at - from)};
}
