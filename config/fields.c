/* SPDX-License-Identifier: MIT */
#include "config/field.h"

#include <string.h>

static const char *const action_words[] = {"store", "bypass", NULL};
static const char *const repeats_words[] = {"replay", "fresh", "sequence", NULL};
static const char *const mismatch_words[] = {"replay", "reject", "bypass", NULL};
static const char *const indoubt_words[] = {"resend", "fail", NULL};
static const char *const churn_words[] = {"warn", "join", NULL};
static const char *const pace_words[] = {"instant", "original", NULL};
static const char *const switch_words[] = {"off", "on", NULL};

#define X(name, values, fallback, type, member, words, help)                                                 \
  {#name, idem_parse_field_##type, idem_format_field_##type, offsetof(struct idem_rule, member), words},
const struct idem_field idem_fields[IDEM_FIELD_COUNT] = {
#include "config/fields.def"
};
#undef X

#define X(name, values, fallback, type, member, words, help) {#name, values, fallback, help},
const struct idem_field_doc idem_field_docs[] = {
#include "config/fields.def"
    {NULL, NULL, NULL, NULL},
};
#undef X

size_t idem_field_find(const char *name, size_t len)
{
  size_t i = 0;

  while (i < IDEM_FIELD_COUNT &&
         (strlen(idem_fields[i].name) != len || memcmp(idem_fields[i].name, name, len) != 0))
    i++;
  return i;
}

const char *idem_field_suggest(struct idem_quoted *out, const char *typed, size_t len)
{
  const char *names[IDEM_FIELD_COUNT + 1] = {NULL};

  for (size_t i = 0; i < IDEM_FIELD_COUNT; i++)
    names[i] = idem_fields[i].name;
  return idem_suggest(out, names, typed, len);
}

int idem_rule_default(struct idem_rule *rule, struct idem_arena *arena, struct idem_error *error)
{
  struct idem_value value = {.arena = arena, .place = {.where = "defaults", .error = error}};
  int result = 0;

  *rule = (struct idem_rule){0};
  for (size_t i = 0; result == 0 && i < IDEM_FIELD_COUNT; i++) {
    if (i == IDEM_FIELD_host)
      continue;
    value.data = idem_field_docs[i].fallback;
    value.len = strlen(value.data);
    result = idem_fields[i].parse(&idem_fields[i], &value, rule);
  }
  return result < 0 ? result : idem_rule_name_keying(rule, arena, error);
}
