/* SPDX-License-Identifier: MIT */
#include "store/json/json_cursor.h"

#include "config/ascii.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

void json_cursor_init(struct json_cursor *cursor, struct idem_span text)
{
  cursor->at = text.data ? text.data : ""; /* to NULL not even 0 may be added */
  cursor->end = cursor->at + text.len;
  cursor->more = cursor->starved = false;
  cursor->string = cursor->escapes = cursor->quoteless = 0;
  if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
    cursor->at += 3;
  cursor->name = cursor->text = (struct idem_span){NULL, 0};
  cursor->objects = cursor->near;
  cursor->room = 64 * COUNT(cursor->near);
  cursor->open = cursor->depth = 0;
  cursor->begun = cursor->first = cursor->escaped = false;
}

/* Every blank is at most a space, and what programs write has few. */
static inline void skip_blanks(struct json_cursor *cursor)
{
  while (cursor->at < cursor->end && *cursor->at <= ' ' && idem_is_json_blank(*cursor->at))
    cursor->at++;
}

struct idem_span json_trimmed(struct idem_span text)
{
  if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
    text = (struct idem_span){text.data + 3, text.len - 3};
  while (text.len && idem_is_json_blank(*text.data))
    text = (struct idem_span){text.data + 1, text.len - 1};
  return text;
}

/* At the end of what has come, more may help. */
static enum cursor_event fail(struct json_cursor *cursor)
{
  if (cursor->more && cursor->at == cursor->end)
    return CURSOR_HUNGRY;
  /* Not JSON, for good: the text ends here, within an array that has no value yet. From there each step
   * fails, and json_cursor_release() finds something open. */
  cursor->end = cursor->at;
  cursor->begun = cursor->first = true;
  cursor->open = 1;
  cursor->objects[0] = 0;
  return CURSOR_BAD;
}

static int hex(char c)
{
  return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* The four digits behind \u, or -1. */
static int hex4(const char *at, const char *end)
{
  int value = 0;
  if (end - at < 4)
    return -1;
  for (int i = 0; i < 4; i++) {
    int digit = hex(at[i]);
    if (digit < 0)
      return -1;
    value = value << 4 | digit;
  }
  return value;
}

/* From the opening quote to behind the closing one. What was read of it before the text ended is not read
 * again. */
static bool take_string(struct json_cursor *cursor, const char *begin, struct idem_span *text)
{
  const char *from = ++cursor->at, *at = from, *quote = NULL;
  size_t string = (size_t)(from - begin), quoteless = 0;
  cursor->escaped = false;
  if (string == cursor->string) {
    at = from + cursor->escapes;
    quoteless = cursor->quoteless;
    cursor->escaped = cursor->escapes > 0;
  }
  for (;;) {
    /* The quote is looked for before the backslashes: memchr() goes fast over a prompt of megabytes, and most
     * texts have few of either. Up to `quoteless` it was looked for when less of the text was there. */
    const char *look = at < from + quoteless ? from + quoteless : at;
    if (!quote || quote < at)
      quote = memchr(look, '"', (size_t)(cursor->end - look));
    if (!quote) {
      cursor->string = string;
      cursor->escapes = (size_t)(at - from);
      cursor->quoteless = (size_t)(cursor->end - from);
      cursor->at = cursor->end;
      return false;
    }
    const char *slash = memchr(at, '\\', (size_t)(quote - at));
    if (!slash)
      break;
    cursor->escaped = true;
    at = slash + 2;
    /* A quote behind a backslash is passed here, and the next one is looked for. strchr() would find a NUL in
     * its list. */
    if (at > cursor->end || !slash[1] || !strchr("\"\\/bfnrtu", slash[1]) ||
        (slash[1] == 'u' && hex4(at, cursor->end) < 0))
      return false;
  }
  *text = (struct idem_span){from, (size_t)(quote - from)};
  cursor->at = quote + 1;
  return true;
}

static const char *skip_digits(const char *at, const char *end)
{
  while (at < end && *at >= '0' && *at <= '9')
    at++;
  return at;
}

/* At least one digit; NULL: there is none. */
static const char *need_digits(const char *at, const char *end)
{
  const char *behind = skip_digits(at, end);
  return behind > at ? behind : NULL;
}

/* RFC 8259, 6: no plus, no nought before another digit, digits on both sides of the point. What is wrong
 * behind a number, such as the 1 of 01, is found where a comma should be. */
static const char *take_number(const char *at, const char *end)
{
  at += at < end && *at == '-';
  if (at < end && *at == '0')
    at++;
  else if (!(at = need_digits(at, end)))
    return NULL;
  if (at < end && *at == '.' && !(at = need_digits(at + 1, end)))
    return NULL;
  if (at < end && (*at | 0x20) == 'e') {
    at++;
    at += at < end && (*at == '+' || *at == '-');
    at = need_digits(at, end);
  }
  return at;
}

/* Its length; 0: none of them begins here. */
static size_t take_word(const char *at, size_t room)
{
  static const char *const words[] = {"true", "false", "null", "NaN", "Infinity", "-Infinity"};
  for (size_t i = 0; i < COUNT(words); i++) {
    size_t len = strlen(words[i]);
    if (len <= room && memcmp(at, words[i], len) == 0)
      return len;
  }
  return 0;
}

/* A bit a level: of an open container only this must be known, whether its values have names. The first 512
 * are in the cursor, so a body takes memory only if it is nested deeper. */
static enum cursor_event enter(struct json_cursor *cursor, bool object)
{
  if (cursor->open == cursor->room) {
    bool is_near = cursor->objects == cursor->near;
    uint64_t *grown = realloc(is_near ? NULL : cursor->objects, cursor->room / 64 * 2 * sizeof(*grown));
    if (!grown) {
      cursor->more = false;
      cursor->starved = true;
      return fail(cursor);
    }
    if (is_near)
      memcpy(grown, cursor->near, sizeof(cursor->near));
    cursor->objects = grown;
    cursor->room *= 2;
  }
  uint64_t bit = (uint64_t)1 << cursor->open % 64, *word = &cursor->objects[cursor->open / 64];
  *word = object ? *word | bit : *word & ~bit;
  cursor->open++;
  cursor->first = true;
  cursor->text = (struct idem_span){cursor->at++, 1};
  return object ? CURSOR_OBJECT : CURSOR_ARRAY;
}

/* Behind a number or a word. */
static bool ends_word(char c)
{
  return idem_is_json_blank(c) || c == ',' || c == ']' || c == '}' || c == '\0';
}

/* `begin` is where the member began, or the value itself. */
static enum cursor_event take_value(struct json_cursor *cursor, const char *begin)
{
  cursor->depth = cursor->open;
  if (cursor->at == cursor->end)
    return fail(cursor);
  switch (*cursor->at) {
  case '{':
  case '[':
    return enter(cursor, *cursor->at == '{');
  case '"':
    return take_string(cursor, begin, &cursor->text) ? CURSOR_STRING : fail(cursor);
  }
  const char *from = cursor->at;
  /* A number has no end of its own, and a word may be on its way. */
  while (cursor->more && cursor->at < cursor->end && !ends_word(*cursor->at))
    cursor->at++;
  if (cursor->more && cursor->at == cursor->end)
    return fail(cursor);
  cursor->at = from;
  size_t word = take_word(from, (size_t)(cursor->end - from));
  const char *behind = word ? from + word : take_number(from, cursor->end);
  if (!behind)
    return fail(cursor);
  cursor->text = (struct idem_span){from, (size_t)(behind - from)};
  cursor->at = behind;
  return word ? CURSOR_WORD : CURSOR_NUMBER;
}

static bool take(struct json_cursor *cursor, char c)
{
  skip_blanks(cursor);
  if (cursor->at == cursor->end || *cursor->at != c)
    return false;
  cursor->at++;
  return true;
}

static enum cursor_event take_next(struct json_cursor *cursor, const char *begin)
{
  if (!cursor->open) {
    if (cursor->begun)
      return cursor->at == cursor->end && !cursor->more ? CURSOR_END : fail(cursor);
    cursor->begun = true;
    return take_value(cursor, begin);
  }
  bool object = cursor->objects[(cursor->open - 1) / 64] >> (cursor->open - 1) % 64 & 1;
  bool first = cursor->first;
  cursor->first = false;
  if (take(cursor, object ? '}' : ']')) {
    cursor->depth = --cursor->open;
    cursor->text = (struct idem_span){cursor->at - 1, 1};
    return CURSOR_CLOSE;
  }
  if (!first && !take(cursor, ','))
    return fail(cursor);
  skip_blanks(cursor);
  if (object) {
    struct idem_span name;
    if (cursor->at == cursor->end || *cursor->at != '"' || !take_string(cursor, begin, &name) ||
        !take(cursor, ':'))
      return fail(cursor);
    cursor->name = name;
    skip_blanks(cursor);
  }
  return take_value(cursor, begin);
}

/* A step for which the text was too short is as if it had not been, and is taken anew when more has come. */
enum cursor_event json_cursor_next(struct json_cursor *cursor)
{
  cursor->name = (struct idem_span){NULL, 0};
  skip_blanks(cursor);
  const char *begin = cursor->at;
  bool first = cursor->first, begun = cursor->begun;
  size_t open = cursor->open;
  enum cursor_event event = take_next(cursor, begin);
  if (event == CURSOR_HUNGRY) {
    cursor->at = begin;
    cursor->first = first;
    cursor->begun = begun;
    cursor->open = open;
  } else {
    cursor->string = 0;
  }
  return event;
}

void json_cursor_feed(struct json_cursor *cursor, struct idem_span text, bool last)
{
  cursor->at = text.data ? text.data : ""; /* to NULL not even 0 may be added */
  cursor->end = cursor->at + text.len;
  cursor->more = !last;
}

bool json_cursor_next_text(struct json_cursor *cursor)
{
  if (!cursor->begun || cursor->open)
    return false;
  skip_blanks(cursor);
  if (cursor->at == cursor->end || (*cursor->at != '{' && *cursor->at != '['))
    return false;
  cursor->begun = cursor->first = false;
  return true;
}

enum cursor_event json_cursor_skip(struct json_cursor *cursor)
{
  struct idem_span name = cursor->name;
  const char *from = cursor->text.data;
  size_t depth = cursor->depth;
  enum cursor_event event;
  do
    event = json_cursor_next(cursor);
  while (event > CURSOR_END && !(event == CURSOR_CLOSE && cursor->depth == depth));
  cursor->name = name;
  cursor->text = (struct idem_span){from, (size_t)(cursor->at - from)};
  return event;
}

bool json_cursor_release(struct json_cursor *cursor)
{
  bool whole = cursor->begun && !cursor->open && cursor->at == cursor->end;
  if (cursor->objects != cursor->near)
    free(cursor->objects);
  cursor->objects = cursor->near;
  return whole;
}

/* Strings. */

static size_t put_utf8(unsigned code, char *out)
{
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = len; i-- > 1; code >>= 6)
    out[i] = (char)(0x80 | (code & 0x3f));
  /* As many ones at the top of the first byte as there are bytes (RFC 3629, 3). */
  out[0] = (char)((0xf00 >> len & 0xf0) | code);
  return len;
}

/* One escape, from its backslash on, that the cursor has let pass. Writes at most 4 bytes. */
static size_t take_escape(const char **at, const char *end, char *out, bool *odd)
{
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  char kind = (*at)[1];
  *at += 2;
  if (kind != 'u') {
    out[0] = values[strchr(names, kind) - names];
    return 1;
  }
  int code = hex4(*at, end);
  *at += 4;
  if (code < 0xd800 || code > 0xdfff)
    return put_utf8((unsigned)code, out);
  if (code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
    int low = hex4(*at + 2, end);
    if (low >= 0xdc00 && low <= 0xdfff) {
      *at += 6;
      return put_utf8(0x10000u + ((unsigned)(code & 0x3ff) << 10) + (unsigned)(low & 0x3ff), out);
    }
  }
  *odd = true;
  out[0] = (char)0xff;
  out[1] = (char)(code >> 8);
  out[2] = (char)code;
  return 3;
}

static size_t decode(struct idem_span text, bool doubles, char *out, bool *odd)
{
  const char *at = text.data, *end = at + text.len;
  size_t len = 0;
  *odd = false;
  while (at < end) {
    if (*at == '\\') {
      len += take_escape(&at, end, out + len, odd);
      continue;
    }
    if (doubles && *at == (char)0xff)
      out[len++] = (char)0xff;
    out[len++] = *at++;
  }
  return len;
}

/* Only beside half a pair is a byte ff doubled, which is its mark: elsewhere the text says what it
 * says without an escape. */
size_t json_string_decode(struct idem_span text, char *out, bool *odd)
{
  size_t len = decode(text, false, out, odd);
  return *odd && memchr(text.data, 0xff, text.len) ? decode(text, true, out, odd) : len;
}

bool json_string_is(struct idem_span text, const char *word, size_t len)
{
  const char *at = text.data, *end = at + text.len;
  bool odd = false;
  /* No escape is shorter than what it says. */
  if (text.len <= len)
    return text.len == len && memcmp(at, word, len) == 0;
  if (!memchr(at, '\\', text.len))
    return false;
  while (at < end && len) {
    char piece[4] = {*at};
    size_t said = *at == '\\' ? take_escape(&at, end, piece, &odd) : (at++, (size_t)1);
    if (odd || said > len || memcmp(piece, word, said) != 0)
      return false;
    word += said;
    len -= said;
  }
  return at == end && !len;
}
