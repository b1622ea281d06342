/* SPDX-License-Identifier: MIT */
/* A date, a time or a UUID is what fits a pattern of the table: digits and names in the places where people
 * and servers write them. What looks like one and is none is masked on both sides alike. */
#include "tape/mask.h"

#include <ctype.h>
#include <strings.h>

/* d: a digit; x: a hexadecimal one; M: a month's name; W: a weekday's; anything else itself. The longest of
 * those that begin alike comes first. */
static const struct {
  const char *pattern, *mark;
} masks[] = {
    {"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "<uuid>"},
    {"dddd-dd-dd", "<date>"},
    {"dddd/dd/dd", "<date>"},
    {"dd/dd/dddd", "<date>"},
    {"dd.dd.dddd", "<date>"},
    {"dd M dddd", "<date>"},
    {"d M dddd", "<date>"},
    {"M dd, dddd", "<date>"},
    {"M d, dddd", "<date>"},
    {"M dd dddd", "<date>"},
    {"M d dddd", "<date>"},
    {"W", "<day>"},
    {"dd:dd:dd", "<time>"},
    {"dd:dd", "<time>"},
};

/* Whole or by their first three letters. */
static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                   "Friday", "Saturday", "Sunday"};

/* The number of rows of a table. */
#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* Letters, digits, and whatever UTF-8 has beyond ASCII. */
static bool is_word(unsigned char c)
{
  return isalnum(c) || c >= 0x80;
}

/* The whole name, or its first three letters. */
static size_t take_name(struct idem_span text, const char *const *names, size_t count)
{
  for (size_t i = 0; i < count; i++)
    for (size_t len = strlen(names[i]); len >= 3; len = len > 3 ? 3 : 0)
      if (text.len >= len && strncasecmp(text.data, names[i], len) == 0 &&
          (text.len == len || !isalpha((unsigned char)text.data[len])))
        return len;
  return 0;
}

/* How much of the text fits one sign of a pattern; 0 if nothing does. */
static size_t take_one(struct idem_span text, char what)
{
  unsigned char c = (unsigned char)*text.data;
  switch (what) {
  case 'd':
    return isdigit(c) != 0;
  case 'x':
    return isxdigit(c) != 0;
  case 'M':
    return take_name(text, months, COUNT(months));
  case 'W':
    return take_name(text, days, COUNT(days));
  default:
    return c == (unsigned char)what;
  }
}

/* The length of what fits, 0 for nothing. It must not end in the middle of a word. */
static size_t match_pattern(struct idem_span text, const char *pattern)
{
  struct idem_span rest = text;
  for (; *pattern; pattern++) {
    size_t len = rest.len ? take_one(rest, *pattern) : 0;
    if (!len)
      return 0;
    rest = (struct idem_span){rest.data + len, rest.len - len};
  }
  /* ISO 8601 has a letter behind a date and behind a time. */
  bool ends = !rest.len || !is_word((unsigned char)*rest.data) || *rest.data == 'T' || *rest.data == 'Z';
  return ends ? text.len - rest.len : 0;
}

/* What goes with a time: ".123456", "Z", "+02:00", "-0800". */
static size_t tail_of_time(struct idem_span text)
{
  static const char *const zones[] = {"Z", "+dd:dd", "-dd:dd", "+dddd", "-dddd"};
  size_t len = 0;
  if (text.len > 1 && text.data[0] == '.' && isdigit((unsigned char)text.data[1]))
    for (len = 1; len < text.len && isdigit((unsigned char)text.data[len]);)
      len++;
  for (size_t i = 0; i < COUNT(zones); i++) {
    size_t zone = match_pattern((struct idem_span){text.data + len, text.len - len}, zones[i]);
    if (zone)
      return len + zone;
  }
  return len;
}

/* The first pattern that fits, which is the longest of those that begin alike. */
static size_t match_any(struct idem_span text, const char **mark)
{
  for (size_t i = 0; i < COUNT(masks); i++) {
    size_t len = match_pattern(text, masks[i].pattern);
    if (!len)
      continue;
    *mark = masks[i].mark;
    bool time = strchr(masks[i].pattern, ':') != NULL;
    return len + (time ? tail_of_time((struct idem_span){text.data + len, text.len - len}) : 0);
  }
  return 0;
}

/* Where something can begin: not within a word, but for the time behind a date's T. */
static bool can_begin(struct idem_span text, size_t at, bool after_mark)
{
  if (at == 0 || !is_word((unsigned char)text.data[at - 1]))
    return true;
  return after_mark && text.data[at - 1] == 'T';
}

/* Goes over the text once; what is between two marks is copied as it is. */
void tape_mask(struct buffer *out, struct idem_span text)
{
  size_t kept = 0, marked = SIZE_MAX - 1;
  for (size_t at = 0; at < text.len;) {
    const char *mark = "";
    size_t len = can_begin(text, at, at == marked + 1)
                     ? match_any((struct idem_span){text.data + at, text.len - at}, &mark)
                     : 0;
    if (len) {
      buffer_add(out, text.data + kept, at - kept);
      buffer_text(out, mark);
      kept = marked = at + len;
    }
    at += len ? len : 1;
  }
  buffer_add(out, text.data + kept, text.len - kept);
}
