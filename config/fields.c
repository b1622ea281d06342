/* SPDX-License-Identifier: MIT */
/* The table of a rule's fields, and the types that hold one plain value: choices,
 * durations, sizes, statuses. */
#include "config/field.h"

#include "config/ascii.h"

#include <errno.h>
#include <string.h>

#define X(name, values, fallback, type, member, help)                                                        \
  {#name,                                                                                                    \
   values,                                                                                                   \
   fallback,                                                                                                 \
   idem_parse_field_##type,                                                                                  \
   idem_format_field_##type,                                                                                 \
   offsetof(struct idem_rule, member)},
const struct idem_field idem_fields[IDEM_FIELD_COUNT] = {
#include "config/fields.def"
};
#undef X

/* A linear search: rules are read once. */
size_t idem_field_find(const char *name, size_t len)
{
  size_t i = 0;

  while (i < IDEM_FIELD_COUNT &&
         (strlen(idem_fields[i].name) != len || memcmp(idem_fields[i].name, name, len) != 0))
    i++;
  return i;
}

/* The names are put together only when somebody has mistyped one. */
const char *idem_field_suggest(struct idem_quoted *out, const char *typed, size_t len)
{
  const char *names[IDEM_FIELD_COUNT + 1] = {NULL};

  for (size_t i = 0; i < IDEM_FIELD_COUNT; i++)
    names[i] = idem_fields[i].name;
  return idem_suggest(out, names, typed, len);
}

/* Parses each fallback of the table, so that a default is exactly what writing it would be. */
int idem_rule_default(struct idem_rule *rule, struct idem_arena *arena, struct idem_error *error)
{
  struct idem_value value = {.arena = arena, .place = {.where = "defaults", .error = error}};
  int result = 0;

  *rule = (struct idem_rule){0};
  for (size_t i = 0; result == 0 && i < IDEM_FIELD_COUNT; i++) {
    /* It has none: a rule must name its host. */
    if (i == IDEM_FIELD_host)
      continue;
    value.data = idem_fields[i].fallback;
    value.len = strlen(value.data);
    result = idem_fields[i].parse(&idem_fields[i], &value, rule);
  }
  return result < 0 ? result : idem_rule_name_keying(rule, arena, error);
}

/* Every enum of a rule and of a config is written through this type. */
_Static_assert(sizeof(enum idem_action) == sizeof(unsigned), "an enum is as large as an unsigned");

/* The index of the word is the value of the enum: the order of the two is the same by definition. */
int idem_parse_field_choice(const struct idem_field *field, const struct idem_value *value, void *object)
{
  return idem_value_choice(value, field->values, IDEM_MEMBER(unsigned));
}

/* The word at that index. */
void idem_format_field_choice(const struct idem_field *field, const void *object, struct idem_text *text)
{
  const char *word = field->values;

  for (unsigned index = *IDEM_CONST_MEMBER(unsigned); index > 0; index--)
    word = strchr(word, '|') + 1;
  idem_text_add(text, word, strcspn(word, "|"));
}

/* Gives true for the second of two words. */
static int parse_second(const struct idem_value *value, const char *words, bool *second)
{
  unsigned index = 0;
  int result = idem_value_choice(value, words, &index);

  *second = index;
  return result;
}

/* For what is a switch in the code and two words for the user. */
int idem_parse_field_second(const struct idem_field *field, const struct idem_value *value, void *object)
{
  return parse_second(value, field->values, IDEM_MEMBER(bool));
}

/* Words such as yes and 1 are refused: what one program takes for on, another takes for a name. */
int idem_parse_field_on_off(const struct idem_field *field, const struct idem_value *value, void *object)
{
  return parse_second(value, "off|on", IDEM_MEMBER(bool));
}

void idem_format_field_on_off(const struct idem_field *field, const void *object, struct idem_text *text)
{
  idem_text_add_string(text, *IDEM_CONST_MEMBER(bool) ? "on" : "off");
}

/* A number without a unit is refused, for nobody can know whether it is seconds. */
int idem_parse_field_duration(const struct idem_field *field, const struct idem_value *value, void *object)
{
  if (idem_parse_duration(value->data, value->len, IDEM_MEMBER(uint64_t)) < 0)
    return idem_value_refuse(value, IDEM_DURATION_EXPECTED, "");
  return 0;
}

void idem_format_field_duration(const struct idem_field *field, const void *object, struct idem_text *text)
{
  idem_text_add_duration(text, *IDEM_CONST_MEMBER(uint64_t));
}

/* No further limit is written as progress; "forever" is taken, too. */
int idem_parse_field_wait(const struct idem_field *field, const struct idem_value *value, void *object)
{
  uint64_t *ms = IDEM_MEMBER(uint64_t);

  *ms = IDEM_FOREVER_MS;
  if (!idem_value_is(value, "progress") && idem_parse_duration(value->data, value->len, ms) < 0)
    return idem_value_refuse(value, IDEM_DURATION_EXPECTED ", or progress", "");
  return 0;
}

void idem_format_field_wait(const struct idem_field *field, const void *object, struct idem_text *text)
{
  if (*IDEM_CONST_MEMBER(uint64_t) == IDEM_FOREVER_MS)
    idem_text_add_string(text, "progress");
  else
    idem_format_field_duration(field, object, text);
}

/* 0 is written as off; "0" is taken, too. */
int idem_parse_field_duration_or_off(const struct idem_field *field, const struct idem_value *value,
                                     void *object)
{
  uint64_t *ms = IDEM_MEMBER(uint64_t);

  *ms = 0;
  if (!idem_value_is(value, "off") && idem_parse_duration(value->data, value->len, ms) < 0)
    return idem_value_refuse(value, IDEM_DURATION_EXPECTED ", or off", "");
  return 0;
}

void idem_format_field_duration_or_off(const struct idem_field *field, const void *object,
                                       struct idem_text *text)
{
  if (*IDEM_CONST_MEMBER(uint64_t) == 0)
    idem_text_add_string(text, "off");
  else
    idem_format_field_duration(field, object, text);
}

/* A size of at least `least`, which `expected` says in words; or 0, if that is allowed. */
static int parse_size(const struct idem_value *value, uint64_t least, bool zero, const char *expected,
                      uint64_t *bytes)
{
  uint64_t size;

  if (idem_parse_size(value->data, value->len, &size) < 0)
    return idem_value_refuse(value, IDEM_SIZE_EXPECTED, "");
  if (size < least && (size > 0 || !zero))
    return idem_value_refuse(value, expected, "");
  *bytes = size;
  return 0;
}

#define MIB (UINT64_C(1) << 20)

/* max_body=0 would mean that nothing is ever stored; action=bypass says that. */
int idem_parse_field_sizes(const struct idem_field *field, const struct idem_value *value, void *object)
{
  uint64_t *sizes = IDEM_MEMBER(uint64_t);
  const char *comma = memchr(value->data, ',', value->len);
  size_t len = comma ? (size_t)(comma - value->data) : value->len;
  struct idem_value first = idem_value_part(value, 0, len);
  /* Without a comma the whole once more: one size is for both. */
  struct idem_value second = idem_value_part(value, comma ? len + 1 : 0, value->len);
  int result = parse_size(&first, 1, false, IDEM_SIZE_EXPECTED, &sizes[0]);

  return result < 0 ? result : parse_size(&second, 1, false, IDEM_SIZE_EXPECTED, &sizes[1]);
}

void idem_format_field_sizes(const struct idem_field *field, const void *object, struct idem_text *text)
{
  const uint64_t *sizes = IDEM_CONST_MEMBER(uint64_t);

  idem_text_add_size(text, sizes[0]);
  if (sizes[1] != sizes[0]) {
    idem_text_add_string(text, ",");
    idem_text_add_size(text, sizes[1]);
  }
}

/* 0 is a size like any other. */
int idem_parse_field_size_or_0(const struct idem_field *field, const struct idem_value *value, void *object)
{
  return parse_size(value, 0, true, IDEM_SIZE_EXPECTED, IDEM_MEMBER(uint64_t));
}

/* A store of less than a megabyte could not hold an ordinary answer. */
int idem_parse_field_size_1m(const struct idem_field *field, const struct idem_value *value, void *object)
{
  return parse_size(value, MIB, false, "1M or more", IDEM_MEMBER(uint64_t));
}

/* 0 is no limit. */
int idem_parse_field_size_1m_or_0(const struct idem_field *field, const struct idem_value *value,
                                  void *object)
{
  return parse_size(value, MIB, true, "1M or more, or 0", IDEM_MEMBER(uint64_t));
}

/* Three digits, 100 to 599. */
static bool read_status(const char *data, uint16_t *status)
{
  if (data[0] < '1' || data[0] > '5' || !idem_is_digit(data[1]) || !idem_is_digit(data[2]))
    return false;
  *status = (uint16_t)((data[0] - '0') * 100 + (data[1] - '0') * 10 + (data[2] - '0'));
  return true;
}

/* A list of ranges, which replaces the default. */
int idem_parse_field_status(const struct idem_field *field, const struct idem_value *value, void *object)
{
  struct idem_rule *rule = object;
  const size_t most = sizeof rule->status / sizeof rule->status[0];
  struct idem_value item;

  (void)field;
  rule->status_count = 0;
  for (size_t at = 0; idem_value_item(value, &at, &item);) {
    if (rule->status_count == most)
      return idem_place_fail(&item.place, "expected at most %zu statuses or ranges", most);
    struct idem_status_range *range = &rule->status[rule->status_count++];
    bool one = item.len == 3, two = item.len == 7 && item.data[3] == '-';
    if ((!one && !two) || !read_status(item.data, &range->first) ||
        !read_status(item.data + (two ? 4 : 0), &range->last) || range->first > range->last)
      return idem_value_refuse(&item, "a status from 100 to 599, or a range such as 200-299", "");
  }
  return 0;
}

/* A range of one status is written as that status. */
void idem_format_field_status(const struct idem_field *field, const void *object, struct idem_text *text)
{
  const struct idem_rule *rule = object;

  (void)field;
  for (size_t i = 0; i < rule->status_count; i++) {
    const struct idem_status_range *range = &rule->status[i];
    idem_text_add_string(text, i ? "," : "");
    idem_text_add_number(text, range->first);
    if (range->last != range->first) {
      idem_text_add_string(text, "-");
      idem_text_add_number(text, range->last);
    }
  }
}

/* A value may be a little longer than what was read: an address grows in its normal form. */
#define ROOM (IDEM_VALUE_MAX + 64)

/* Quoted only where it has to be. */
static void add_value(struct idem_text *text, const char *value)
{
  /* A value that has one kind of quote was written in the other, so it never has both. */
  const char *quote = strchr(value, '"') ? "'" : "\"";
  bool bare = !strpbrk(value, " ;#\"'");

  idem_text_add_string(text, bare ? "" : quote);
  idem_text_add_string(text, value);
  idem_text_add_string(text, bare ? "" : quote);
}

/* A field is left out if its text is the fallback's: both come from the same formatter. */
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
