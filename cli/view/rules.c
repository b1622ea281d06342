/* SPDX-License-Identifier: MIT */
#include "cli/view/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *cli_rule_text(const struct idem_rule *rule)
{
  size_t size = idem_rule_format(rule, NULL, 0) + 1;
  char *text = malloc(size);
  if (text)
    idem_rule_format(rule, text, size);
  return text;
}

/* The length of the value at `text`, which ends at a blank outside of quotes. */
static size_t value_length(const char *text)
{
  char quote = '\0';
  size_t len = 0;
  for (; text[len] && (quote || text[len] != ' '); len++) {
    if (quote ? text[len] == quote : text[len] == '"' || text[len] == '\'')
      quote = quote ? '\0' : text[len];
  }
  return len;
}

static bool find(const char *text, const char *field, char value[CLI_VALUE_SIZE])
{
  size_t name_len = strlen(field);
  while (*text) {
    size_t len = value_length(text);
    if (strncmp(text, field, name_len) == 0 && text[name_len] == '=') {
      snprintf(value, CLI_VALUE_SIZE, "%.*s", (int)(len - name_len - 1), text + name_len + 1);
      return true;
    }
    text += len;
    text += strspn(text, " ");
  }
  return false;
}

bool cli_rule_value(const struct idem_rule *rule, const char *field, char value[CLI_VALUE_SIZE])
{
  char *text = cli_rule_text(rule);
  bool found = text && find(text, field, value);
  free(text);
  return found;
}
