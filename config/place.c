/* SPDX-License-Identifier: MIT */
/*
 * Messages about the user's text. They are put together from fixed pieces into a fixed buffer: no heap, and
 * no locale, in which a column would be written with a comma.
 */
#include "config/place.h"

#include "config/ascii.h"
#include "config/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A long file name must not push the message itself out of its buffer; its end says more than its start. */
#define WHERE_MAX ((size_t)120)

/* The end of a long path says more than its beginning. */
static void add_where(struct idem_text *text, const struct idem_place *place)
{
  size_t len = strlen(place->where), skip = len > WHERE_MAX ? len - WHERE_MAX : 0;

  if (skip)
    idem_text_add_string(text, "...");
  idem_text_add_string(text, place->where + skip);
  if (place->line) {
    idem_text_add_string(text, " line ");
    idem_text_add_number(text, place->line);
  }
  idem_text_add_string(text, ": ");
}

/* One of "rule 2", "field ttl", "column 34", with a comma if something stands before it. */
static void add_step(struct idem_text *text, size_t start, const char *noun)
{
  if (text->len > start)
    idem_text_add_string(text, ", ");
  idem_text_add_string(text, noun);
  idem_text_add_string(text, " ");
}

/* Only those that are known: a variable that is one value has neither rule nor column. */
static void add_steps(struct idem_text *text, const struct idem_place *place)
{
  size_t start = text->len;

  if (place->number) {
    add_step(text, start, place->noun);
    idem_text_add_number(text, (uint64_t)place->number);
  }
  if (place->field) {
    add_step(text, start, "field");
    idem_text_add_string(text, place->field);
  }
  if (place->column) {
    add_step(text, start, "column");
    idem_text_add_number(text, place->column);
  }
  if (text->len > start)
    idem_text_add_string(text, ": ");
}

/* The place first, so that a list of messages can be read down its left side. */
int idem_place_fail(const struct idem_place *place, const char *format, ...)
{
  char steps[256], message[512];
  struct idem_text text = {.out = steps, .size = sizeof steps};
  va_list args;

  add_where(&text, place);
  add_steps(&text, place);
  va_start(args, format);
  int len = vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return idem_error_set(place->error, -EINVAL, "%s%s", steps, len < 0 ? "not understood" : message);
}

/* Bytes beyond ASCII too: nobody knows what a terminal makes of them. */
static void quote_byte(struct idem_text *text, unsigned char c)
{
  static const char hex[] = "0123456789abcdef";
  const char escaped[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};

  if (c < 0x20 || c > 0x7e)
    idem_text_add(text, escaped, sizeof escaped);
  else
    idem_text_add(text, (const char *)&c, 1);
}

/* Short: a message is one line, and the user has the text. */
const char *idem_quote(struct idem_quoted *out, const char *data, size_t len)
{
  struct idem_text text = {.out = out->text, .size = sizeof out->text};
  /* The longest byte, the three dots, the closing quote and the NUL. */
  const size_t room = sizeof out->text - 4 - 3 - 2;

  idem_text_add_string(&text, "\"");
  for (size_t i = 0; i < len; i++) {
    if (text.len > room) {
      idem_text_add_string(&text, "...");
      break;
    }
    quote_byte(&text, (unsigned char)data[i]);
  }
  idem_text_add_string(&text, "\"");
  return out->text;
}

/* Longer than any word that we know. */
#define WORD_MAX 16

/* The smaller one. */
static unsigned least(unsigned a, unsigned b)
{
  return a < b ? a : b;
}

/* Suggestions do not go by case, names do. */
static bool same(char a, char b)
{
  return idem_lower(a) == idem_lower(b);
}

/* How many letters have to be put in, left out, changed or swapped with their neighbour (Damerau 1964). */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
  /* cost[i][j] is the distance of the first i letters of one from the first j of the other. */
  unsigned cost[WORD_MAX + 1][WORD_MAX + 1];

  for (size_t i = 0; i <= a_len; i++) {
    for (size_t j = 0; j <= b_len; j++) {
      if (!i || !j) {
        cost[i][j] = (unsigned)(i + j);
        continue;
      }
      unsigned change = !same(a[i - 1], b[j - 1]);
      cost[i][j] = least(cost[i - 1][j - 1] + change, least(cost[i - 1][j], cost[i][j - 1]) + 1);
      if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
        cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a_len][b_len];
}

/* The nearest word, the first of equally near ones; "" if none is near enough. */
const char *idem_suggest(struct idem_quoted *out, const char *const *words, const char *typed, size_t len)
{
  const char *nearest = NULL;
  /* One slip in three letters: with more, the guess is worse than none, as "on" for "no" would be. */
  unsigned best = (unsigned)len / 3;

  out->text[0] = '\0';
  if (best == 0 || len > WORD_MAX)
    return out->text;
  for (; *words; words++) {
    size_t word_len = strlen(*words);
    unsigned far = word_len <= WORD_MAX ? distance(typed, len, *words, word_len) : best + 1;
    if (far < best || (far == best && !nearest)) {
      best = far;
      nearest = *words;
    }
  }
  if (nearest)
    snprintf(out->text, sizeof out->text, "; did you mean \"%s\"?", nearest);
  return out->text;
}
