/* SPDX-License-Identifier: MIT */
/* Fields that hold one plain value: choices, durations, sizes, statuses. */
#include "config/ascii.h"
#include "config/field.h"
#include "config/units.h"

#include <errno.h>
#include <string.h>

/* The member that the field fills; its type is fixed by the table's `type`. */
static void *member(const struct idem_field *field, struct idem_rule *rule)
{
  return (char *)rule + field->offset;
}

static const void *member_of(const struct idem_field *field, const struct idem_rule *rule)
{
  return (const char *)rule + field->offset;
}

/* Every enum of a rule is written through this type. */
_Static_assert(sizeof(enum idem_action) == sizeof(unsigned), "an enum is as large as an unsigned");

int idem_parse_field_choice(const struct idem_field *field, const struct idem_value *value,
                            struct idem_rule *rule)
{
  unsigned index;
  int result = idem_value_choice(value, field->words, &index);

  if (result == 0)
    memcpy(member(field, rule), &index, sizeof index);
  return result;
}

void idem_format_field_choice(const struct idem_field *field, const struct idem_rule *rule,
                              struct idem_text *text)
{
  unsigned index;

  memcpy(&index, member_of(field, rule), sizeof index);
  idem_text_add_string(text, field->words[index]);
}

int idem_parse_field_on_off(const struct idem_field *field, const struct idem_value *value,
                            struct idem_rule *rule)
{
  unsigned index;
  int result = idem_value_choice(value, field->words, &index);

  if (result == 0)
    *(bool *)member(field, rule) = index;
  return result;
}

void idem_format_field_on_off(const struct idem_field *field, const struct idem_rule *rule,
                              struct idem_text *text)
{
  idem_text_add_string(text, field->words[*(const bool *)member_of(field, rule)]);
}

int idem_parse_field_duration(const struct idem_field *field, const struct idem_value *value,
                              struct idem_rule *rule)
{
  if (idem_parse_duration(value->data, value->len, member(field, rule)) < 0)
    return idem_value_refuse(value, IDEM_DURATION_EXPECTED, "");
  return 0;
}

void idem_format_field_duration(const struct idem_field *field, const struct idem_rule *rule,
                                struct idem_text *text)
{
  idem_text_add_duration(text, *(const uint64_t *)member_of(field, rule));
}

int idem_parse_field_duration_or_off(const struct idem_field *field, const struct idem_value *value,
                                     struct idem_rule *rule)
{
  uint64_t *ms = member(field, rule);

  *ms = 0;
  if (!idem_value_is(value, "off") && idem_parse_duration(value->data, value->len, ms) < 0)
    return idem_value_refuse(value, IDEM_DURATION_EXPECTED ", or off", "");
  return 0;
}

void idem_format_field_duration_or_off(const struct idem_field *field, const struct idem_rule *rule,
                                       struct idem_text *text)
{
  uint64_t ms = *(const uint64_t *)member_of(field, rule);

  if (ms == 0)
    idem_text_add_string(text, "off");
  else
    idem_text_add_duration(text, ms);
}

int idem_parse_field_size(const struct idem_field *field, const struct idem_value *value,
                          struct idem_rule *rule)
{
  uint64_t bytes;

  if (idem_parse_size(value->data, value->len, &bytes) < 0 || bytes == 0)
    return idem_value_refuse(value, IDEM_SIZE_EXPECTED, "");
  *(uint64_t *)member(field, rule) = bytes;
  return 0;
}

void idem_format_field_size(const struct idem_field *field, const struct idem_rule *rule,
                            struct idem_text *text)
{
  idem_text_add_size(text, *(const uint64_t *)member_of(field, rule));
}

/* Three digits, 100 to 599. */
static bool read_status(const char *data, uint16_t *status)
{
  if (data[0] < '1' || data[0] > '5' || !idem_is_digit(data[1]) || !idem_is_digit(data[2]))
    return false;
  *status = (uint16_t)((data[0] - '0') * 100 + (data[1] - '0') * 10 + (data[2] - '0'));
  return true;
}

static int parse_range(const struct idem_value *item, struct idem_status_range *range)
{
  bool one = item->len == 3, two = item->len == 7 && item->data[3] == '-';

  if ((!one && !two) || !read_status(item->data, &range->first) ||
      !read_status(item->data + (two ? 4 : 0), &range->last) || range->first > range->last)
    return idem_value_refuse(item, "a status from 100 to 599, or a range such as 200-299", "");
  return 0;
}

int idem_parse_field_status(const struct idem_field *field, const struct idem_value *value,
                            struct idem_rule *rule)
{
  const size_t most = sizeof rule->status / sizeof rule->status[0];
  int result = 0;

  (void)field;
  rule->status_count = 0;
  for (size_t first = 0; result == 0 && first <= value->len;) {
    const char *comma = memchr(value->data + first, ',', value->len - first);
    size_t end = comma ? (size_t)(comma - value->data) : value->len;
    struct idem_value item = idem_value_part(value, first, end);
    if (rule->status_count == most)
      return idem_place_fail(&item.place, "expected at most %zu statuses or ranges", most);
    result = parse_range(&item, &rule->status[rule->status_count++]);
    first = end + 1;
  }
  return result;
}

void idem_format_field_status(const struct idem_field *field, const struct idem_rule *rule,
                              struct idem_text *text)
{
  (void)field;
  for (size_t i = 0; i < rule->status_count; i++) {
    const struct idem_status_range *range = &rule->status[i];
    if (i > 0)
      idem_text_add_string(text, ",");
    idem_text_add_number(text, range->first);
    if (range->last != range->first) {
      idem_text_add_string(text, "-");
      idem_text_add_number(text, range->last);
    }
  }
}
