/* SPDX-License-Identifier: MIT */
#include "store/json/json_pointer.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

bool json_pointers_init(struct json_pointers *pointers, char *const *words, size_t count)
{
  pointers->count = count;
  pointers->globs = false;
  pointers->base = pointers->deepest = 0;
  pointers->place =
      count <= COUNT(pointers->near) ? pointers->near : malloc(count * sizeof(*pointers->place));
  for (size_t i = 0; pointers->place && i < count; i++)
    pointers->place[i] = (struct json_place){.text = words[i], .next = words[i]};
  return pointers->place != NULL;
}

void json_pointers_release(struct json_pointers *pointers)
{
  if (pointers->place != pointers->near)
    free(pointers->place);
}

/* Where the token that begins at `slash` ends. */
static const char *token_end(const char *slash)
{
  return slash + 1 + strcspn(slash + 1, "/");
}

/* RFC 6901, 4: digits without a nought in front. `-` is the element behind the last, which no text has. */
static bool is_index(const char *token, const char *end, size_t index)
{
  size_t number = 0;
  if (token == end || (*token == '0' && end - token > 1))
    return false;
  for (; token < end; token++) {
    if (*token < '0' || *token > '9' || number > SIZE_MAX / 10 - 10)
      return false;
    number = number * 10 + (size_t)(*token - '0');
  }
  return number == index;
}

/* The token with ~1 and ~0 undone, in `out`. */
static size_t undo(const char *token, const char *end, char *out)
{
  size_t len = 0;
  for (; token < end; token++) {
    bool escaped = *token == '~' && end - token > 1 && (token[1] == '0' || token[1] == '1');
    out[len++] = !escaped ? *token : *++token == '0' ? '~' : '/';
  }
  return len;
}

/* In a token without ~ there is nothing to undo, and it is compared where it stands. */
static bool is_name(struct idem_span name, const char *token, const char *end)
{
  size_t len = (size_t)(end - token);
  if (!memchr(token, '~', len))
    return json_string_is(name, token, len);
  char near[256], *room = len <= sizeof(near) ? near : malloc(len);
  bool same = room && json_string_is(name, room, undo(token, end, room));
  if (room != near)
    free(room);
  return same;
}

/* A token of digits is an index in an array and a name in an object (RFC 6901, 4), so the value decides what
 * it is asked. */
static bool token_names(const struct json_pointers *pointers, const struct json_place *place,
                        const struct json_cursor *cursor, const char *end)
{
  const char *token = place->next + 1;
  if (pointers->globs && end - token == 1 && *token == '*')
    return true;
  return cursor->name.data ? is_name(cursor->name, token, end) : is_index(token, end, place->index - 1);
}

/* The container of `depth` ends: pointers that went into it go on behind it. */
static void leave(struct json_pointers *pointers, size_t depth)
{
  size_t deepest = 0;
  for (size_t i = 0; i < pointers->count; i++) {
    struct json_place *place = &pointers->place[i];
    if (depth && place->matched == depth) {
      place->matched--;
      for (place->next--; *place->next != '/';)
        place->next--;
      /* An element has been gone into: no other one has its number. With a wildcard all of them have. */
      place->index = SIZE_MAX / 2;
    }
    deepest = place->matched > deepest ? place->matched : deepest;
  }
  pointers->deepest = deepest;
}

bool json_pointers_at(struct json_pointers *pointers, const struct json_cursor *cursor,
                      enum cursor_event event)
{
  if (cursor->depth < pointers->base)
    return false;
  size_t depth = cursor->depth - pointers->base;
  bool any = false;
  /* No pointer has got so far down that this could be a child of where it is. Most values of a deep text end
   * here. */
  if (depth > pointers->deepest + 1)
    return false;
  if (event == CURSOR_CLOSE) {
    if (depth && depth == pointers->deepest)
      leave(pointers, depth);
    return false;
  }
  for (size_t i = 0; i < pointers->count; i++) {
    struct json_place *place = &pointers->place[i];
    place->here = depth == 0 && *place->text == '\0';
    any |= place->here;
    if (depth == 0 || place->matched + 1 != depth || !*place->next)
      continue;
    const char *end = token_end(place->next);
    place->index += !cursor->name.data;
    if (!token_names(pointers, place, cursor, end))
      continue;
    /* The last token names the value. Before it only a container leads on, and what is below a text or a
     * number is not there. */
    if (*end == '\0') {
      place->here = any = true;
    } else if (event == CURSOR_ARRAY || event == CURSOR_OBJECT) {
      place->next = end;
      place->matched = depth;
      place->index = 0;
      pointers->deepest = depth > pointers->deepest ? depth : pointers->deepest;
    }
  }
  return any;
}

bool json_find(struct idem_span text, const struct idem_words *words,
               void (*visit)(void *arg, size_t which, struct idem_span value), void *arg)
{
  struct json_pointers pointers;
  struct json_cursor cursor;
  enum cursor_event event;
  if (!json_pointers_init(&pointers, words->word, words->count))
    return false;
  json_cursor_init(&cursor, text);
  while ((event = json_cursor_next(&cursor)) > CURSOR_END) {
    if (!json_pointers_at(&pointers, &cursor, event))
      continue;
    struct idem_span value = cursor.text;
    if (event == CURSOR_STRING)
      value = (struct idem_span){value.data - 1, value.len + 2};
    if (event == CURSOR_ARRAY || event == CURSOR_OBJECT) {
      /* Its end is found by a second cursor: places inside of it may be asked for, too. */
      struct json_cursor inner;
      json_cursor_init(&inner, (struct idem_span){value.data, (size_t)(text.data + text.len - value.data)});
      json_cursor_next(&inner);
      json_cursor_skip(&inner);
      value = inner.text;
      json_cursor_release(&inner);
    }
    for (size_t i = 0; i < words->count; i++)
      if (pointers.place[i].here)
        visit(arg, i, value);
  }
  json_pointers_release(&pointers);
  return json_cursor_release(&cursor);
}

/* Where the next part of the text that stays begins. */
struct covering {
  struct buffer *out;
  const char *from;
};

/* Values come in the order of the text. */
static void cover(void *arg, size_t which, struct idem_span value)
{
  struct covering *covering = arg;
  (void)which;
  if (value.data < covering->from)
    return;
  buffer_add(covering->out, covering->from, (size_t)(value.data - covering->from));
  buffer_text(covering->out, "\"" REDACTED "\"");
  covering->from = value.data + value.len;
}

bool json_redact(struct buffer *out, struct idem_span text, const struct idem_words *pointers)
{
  struct covering covering = {out, text.data};
  /* Whether it is JSON is known at its end: what was written by then is taken back. */
  size_t before = out->len;
  bool found = json_find(text, pointers, cover, &covering);
  if (found)
    buffer_add(out, covering.from, (size_t)(text.data + text.len - covering.from));
  else
    out->len = before;
  return found;
}
