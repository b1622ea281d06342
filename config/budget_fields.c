/* SPDX-License-Identifier: MIT */
/* Fields that say how much a run may take: budget, max_repeats. */
#include "config/ascii.h"
#include "config/field.h"

#include <stdio.h>
#include <string.h>

/* "200", "2M": thousands, as tokens are counted. False for anything else. */
static bool parse_amount(const char *text, size_t len, uint64_t *amount)
{
  static const char units[] = "kMG";
  const char *unit = len ? memchr(units, text[len - 1], sizeof(units) - 1) : NULL;
  len -= unit != NULL;
  if (!len || len > 12)
    return false;
  *amount = 0;
  for (size_t i = 0; i < len; i++) {
    if (!idem_is_digit(text[i]))
      return false;
    *amount = *amount * 10 + (uint64_t)(text[i] - '0');
  }
  for (const char *u = units; unit && u <= unit; u++)
    if (__builtin_mul_overflow(*amount, 1000, amount))
      return false;
  return *amount < IDEM_NO_BUDGET;
}

/* With the units of an amount: 2k is 2000, and none is no limit. */
int idem_parse_field_most(const struct idem_field *field, const struct idem_value *value, void *object)
{
  uint64_t most = IDEM_NO_BUDGET;
  if (!idem_value_is(value, "none") && !parse_amount(value->data, value->len, &most))
    return idem_value_refuse(value, "a number, or none", "");
  *IDEM_MEMBER(uint64_t) = most;
  return 0;
}

void idem_format_field_most(const struct idem_field *field, const void *object, struct idem_text *text)
{
  uint64_t most = *IDEM_CONST_MEMBER(uint64_t);
  char digits[24];
  snprintf(digits, sizeof(digits), "%llu", (unsigned long long)most);
  idem_text_add_string(text, most == IDEM_NO_BUDGET ? "none" : digits);
}

/* Takes the word off the front of the text; false, and nothing is taken, if it does not begin with it. */
static bool has_word(const char **text, size_t *len, const char *word)
{
  size_t word_len = strlen(word);
  if (*len < word_len || memcmp(*text, word, word_len) != 0)
    return false;
  *text += word_len;
  *len -= word_len;
  return true;
}

/* "5", "0.50": dollars with at most nine decimals, and without more than a run could ever cost. */
static bool parse_dollars(const char *text, size_t len, uint64_t *nano_dollars)
{
  enum { DECIMALS = 9 };
  const char *point = memchr(text, '.', len);
  size_t whole = point ? (size_t)(point - text) : len, decimals = point ? len - whole - 1 : 0;
  if (!whole || whole > 9 || decimals > DECIMALS || (point && !decimals))
    return false;
  *nano_dollars = 0;
  for (size_t i = 0; i < len; i++) {
    if (i == whole)
      continue;
    if (!idem_is_digit(text[i]))
      return false;
    *nano_dollars = *nano_dollars * 10 + (uint64_t)(text[i] - '0');
  }
  for (size_t i = decimals; i < DECIMALS; i++)
    *nano_dollars *= 10;
  return true;
}

/* What a budget may name, in the order in which it is written. */
static const struct part {
  const char *word;
  bool (*parse)(const char *text, size_t len, uint64_t *amount);
  size_t offset;
} parts[] = {
    {"calls:", parse_amount, offsetof(struct idem_budget, calls)},
    {"tokens:", parse_amount, offsetof(struct idem_budget, tokens)},
    {"usd:", parse_dollars, offsetof(struct idem_budget, nano_dollars)},
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static uint64_t *part_of(struct idem_budget *budget, const struct part *part)
{
  return (uint64_t *)((char *)budget + part->offset);
}

/* "calls:200", "calls:200,tokens:2M/run", "usd:0.50". The /run at the end changes nothing: a budget is a
 * run's in any case. Each of them stands there at most once. */
int idem_parse_field_budget(const struct idem_field *field, const struct idem_value *value, void *object)
{
  static const char expected[] = "calls:N, tokens:N, usd:N, several with commas between them, or none",
                    run[] = "/run";
  struct idem_budget budget = {IDEM_NO_BUDGET, IDEM_NO_BUDGET, IDEM_NO_BUDGET};
  const char *at = value->data;
  size_t rest = value->len, run_len = sizeof(run) - 1;
  if (rest > run_len && memcmp(at + rest - run_len, run, run_len) == 0)
    rest -= run_len;
  for (bool more = !idem_value_is(value, "none"); more;) {
    const struct part *part = parts;
    while (part < parts + PARTS && !has_word(&at, &rest, part->word))
      part++;
    uint64_t *amount = part < parts + PARTS ? part_of(&budget, part) : NULL;
    const char *comma = memchr(at, ',', rest);
    size_t len = comma ? (size_t)(comma - at) : rest;
    if (!amount || *amount != IDEM_NO_BUDGET || !part->parse(at, len, amount))
      return idem_value_refuse(value, expected, "");
    more = comma != NULL;
    at += len + more;
    rest -= len + more;
  }
  *IDEM_MEMBER(struct idem_budget) = budget;
  return 0;
}

/* "5", "0.5". */
void idem_format_dollars(uint64_t nano_dollars, char text[IDEM_DOLLARS_SIZE])
{
  enum { NANO = 1000000000 };
  int len = snprintf(text, IDEM_DOLLARS_SIZE, "%llu.%09llu", (unsigned long long)(nano_dollars / NANO),
                     (unsigned long long)(nano_dollars % NANO));
  while (text[len - 1] == '0')
    len--;
  len -= text[len - 1] == '.';
  text[len] = '\0';
}

void idem_format_field_budget(const struct idem_field *field, const void *object, struct idem_text *text)
{
  struct idem_budget budget = *IDEM_CONST_MEMBER(struct idem_budget);
  char amount[IDEM_DOLLARS_SIZE];
  bool begun = false;
  for (const struct part *part = parts; part < parts + PARTS; part++) {
    uint64_t most = *part_of(&budget, part);
    if (most == IDEM_NO_BUDGET)
      continue;
    if (part->parse == parse_dollars)
      idem_format_dollars(most, amount);
    else
      snprintf(amount, sizeof(amount), "%llu", (unsigned long long)most);
    idem_text_add_string(text, begun ? "," : "");
    idem_text_add_string(text, part->word);
    idem_text_add_string(text, amount);
    begun = true;
  }
  idem_text_add_string(text, begun ? "" : "none");
}
