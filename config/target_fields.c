/* SPDX-License-Identifier: MIT */
/* Fields that say which calls a rule is for: host, method, path. */
#include "config/ascii.h"
#include "config/field.h"
#include "config/host.h"

#include <string.h>

int idem_parse_field_host(const struct idem_field *field, const struct idem_value *value,
                          struct idem_rule *rule)
{
  (void)field;
  return idem_host_parse(value, &rule->host, &rule->port);
}

void idem_format_field_host(const struct idem_field *field, const struct idem_rule *rule,
                            struct idem_text *text)
{
  (void)field;
  idem_host_format(text, rule->host, rule->port);
}

static int check_method(const struct idem_value *item, char *word)
{
  if (idem_value_is(item, "*"))
    return 0;
  for (; *word; word++) {
    if (!idem_is_alnum(*word) && *word != '-' && *word != '_')
      return idem_value_refuse(item, "a method such as POST, or * for every one", "");
    *word = idem_upper(*word);
  }
  return 0;
}

int idem_parse_field_methods(const struct idem_field *field, const struct idem_value *value,
                             struct idem_rule *rule)
{
  (void)field;
  rule->methods = (struct idem_words){0};
  return idem_value_words(value, check_method, false, &rule->methods);
}

void idem_format_field_methods(const struct idem_field *field, const struct idem_rule *rule,
                               struct idem_text *text)
{
  (void)field;
  for (size_t i = 0; i < rule->methods.count; i++) {
    idem_text_add_string(text, i ? "," : "");
    idem_text_add_string(text, rule->methods.word[i]);
  }
}

/* Does a query stand at the end of what should be a path? A lone '?' is a wildcard. */
static bool has_query(const struct idem_value *value)
{
  const char *mark = memchr(value->data, '?', value->len);

  return mark && memchr(mark, '=', (size_t)(value->data + value->len - mark));
}

int idem_parse_field_path(const struct idem_field *field, const struct idem_value *value,
                          struct idem_rule *rule)
{
  (void)field;
  if (value->len == 0 || !strchr("/*?", value->data[0]))
    return idem_value_refuse(value, "a path such as /v1/chat/completions or /v1/*", "");
  if (has_query(value))
    return idem_value_refuse(value, "a path without query", "; every query matches");
  for (size_t i = 0; i < value->len; i++)
    if (value->data[i] <= ' ' || value->data[i] > '~')
      return idem_value_refuse(value, "a path of ASCII characters",
                               "; write the others as %XX, as a URL does");
  if (idem_value_is(value, "*")) {
    rule->path = NULL;
    return 0;
  }
  rule->path = idem_arena_copy(value->arena, value->data, value->len);
  return rule->path ? 0 : idem_value_no_memory(value);
}

void idem_format_field_path(const struct idem_field *field, const struct idem_rule *rule,
                            struct idem_text *text)
{
  (void)field;
  idem_text_add_string(text, rule->path ? rule->path : "*");
}
