/* SPDX-License-Identifier: MIT */
/* Text piece by piece, and the units of durations and sizes in both directions. */
#include "config/text.h"

#include "config/ascii.h"
#include "config/config.h"

#include <errno.h>
#include <string.h>

/* What does not fit is counted and left out; the text ends in a NUL in any case. */
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

/* For our own words. */
void idem_text_add_string(struct idem_text *text, const char *string)
{
  idem_text_add(text, string, strlen(string));
}

/* Written backwards from the last digit. */
void idem_text_add_number(struct idem_text *text, uint64_t number)
{
  char digits[20]; /* 2^64 has that many */
  size_t at = sizeof digits;

  do
    digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  idem_text_add(text, digits + at, sizeof digits - at);
}

/* From long to short, which is the order in which a duration has them, too. */
static const struct unit {
  const char *name;
  uint64_t ms;
} time_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

enum { TIME_UNITS = sizeof time_units / sizeof time_units[0] };

/* The text is not NUL-terminated. */
static bool word_is(const char *text, size_t len, const char *word)
{
  return len == strlen(word) && !memcmp(text, word, len);
}

/* Reads digits; false if there are none, or more than `max` says. */
static bool read_number(const char **at, const char *end, uint64_t max, uint64_t *number)
{
  const char *first = *at;

  for (*number = 0; *at < end && idem_is_digit(**at); ++*at) {
    uint64_t digit = (uint64_t)(**at - '0');
    if (*number > (max - digit) / 10)
      return false;
    *number = *number * 10 + digit;
  }
  return *at > first;
}

/* The unit at `*at` among those from `*next` on: 1h30m has them from long to short, each once. */
static const struct unit *read_unit(const char **at, const char *end, size_t *next)
{
  const char *first = *at;

  /* A unit is all that is no digit, so that "5x" is refused as a whole. */
  while (*at < end && !idem_is_digit(**at))
    ++*at;
  while (*next < TIME_UNITS) {
    const struct unit *unit = &time_units[(*next)++];
    if (word_is(first, (size_t)(*at - first), unit->name))
      return unit;
  }
  return NULL;
}

/* Sums up number and unit pairs, each unit once and in falling order; overflow is refused. */
int idem_parse_duration(const char *text, size_t len, uint64_t *ms)
{
  const char *at = text, *end = text + len;
  uint64_t sum = 0;
  size_t next = 0;

  if (word_is(text, len, "forever") || word_is(text, len, "0")) {
    *ms = *text == '0' ? 0 : IDEM_FOREVER_MS;
    return 0;
  }
  do {
    uint64_t number;
    if (!read_number(&at, end, IDEM_DURATION_MAX_MS, &number))
      return -EINVAL;
    const struct unit *unit = read_unit(&at, end, &next);
    if (!unit || number > (IDEM_DURATION_MAX_MS - sum) / unit->ms)
      return -EINVAL;
    sum += number * unit->ms;
  } while (at < end);
  *ms = sum;
  return 0;
}

/* As few units as say it exactly: 90m is 1h30m. */
void idem_text_add_duration(struct idem_text *text, uint64_t ms)
{
  if (ms == 0 || ms == IDEM_FOREVER_MS) {
    idem_text_add_string(text, ms ? "forever" : "0");
    return;
  }
  for (size_t i = 0; i < TIME_UNITS; i++) {
    const struct unit *unit = &time_units[i];
    /* A day is said as 24h. */
    if (ms < unit->ms || (unit == time_units && ms < 2 * unit->ms))
      continue;
    idem_text_add_number(text, ms / unit->ms);
    idem_text_add_string(text, unit->name);
    ms %= unit->ms;
  }
}

/* "k", "kB" and "KiB" are the same 1024: returns the power, or -1. */
static int size_power(const char *suffix, size_t len)
{
  static const char letters[] = "kmgt";

  if (len == 0 || idem_same_fold(suffix, len, "b", 1))
    return 0;
  const char *letter = memchr(letters, idem_lower(*suffix), sizeof letters - 1);
  suffix++, len--;
  bool plain = len == 0 || idem_same_fold(suffix, len, "b", 1) || idem_same_fold(suffix, len, "ib", 2);
  return letter && plain ? (int)(letter - letters) + 1 : -1;
}

/* At most 2^63 - 1, for sizes are added to offsets. */
int idem_parse_size(const char *text, size_t len, uint64_t *bytes)
{
  const char *at = text, *end = text + len;
  uint64_t number;

  if (!read_number(&at, end, INT64_MAX, &number))
    return -EINVAL;
  int power = size_power(at, (size_t)(end - at));
  if (power < 0 || number > (uint64_t)INT64_MAX >> (10 * power))
    return -EINVAL;
  *bytes = number << (10 * power);
  return 0;
}

/* The largest unit that divides it, so that nothing is rounded. */
void idem_text_add_size(struct idem_text *text, uint64_t bytes)
{
  static const char *const suffixes[] = {"", "k", "M", "G", "T"};
  size_t power = 0;

  while (bytes && bytes % 1024 == 0 && power + 1 < sizeof suffixes / sizeof suffixes[0]) {
    bytes /= 1024;
    power++;
  }
  idem_text_add_number(text, bytes);
  idem_text_add_string(text, suffixes[power]);
}
