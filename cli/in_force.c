/* SPDX-License-Identifier: MIT */
#include "cli/in_force.h"

#include "cli/rule_text.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const modes[] = {
    [IDEM_MODE_IDEMPOTENT] = "idempotent", [IDEM_MODE_OBSERVE] = "observe", [IDEM_MODE_RECORD] = "record",
    [IDEM_MODE_REPLAY] = "replay",         [IDEM_MODE_OFF] = "off",
};

const char *cli_mode_name(enum idem_mode mode)
{
  return modes[mode];
}

static void look_at_rule(const struct idem_rule *rule, void (*say)(void *arg, const char *what), void *arg)
{
  char value[CLI_VALUE_SIZE], what[2 * CLI_VALUE_SIZE];
  for (const struct idem_field_doc *field = idem_field_docs; field->name; field++) {
    if (field->in_force || !cli_rule_value(rule, field->name, value))
      continue;
    snprintf(what, sizeof(what), "rule %d of %s: %s=%s", rule->number, rule->origin, field->name, value);
    say(arg, what);
  }
}

void cli_not_in_force(const struct idem_config *config, void (*say)(void *arg, const char *what), void *arg)
{
  char what[CLI_VALUE_SIZE];
  for (const struct idem_variable_doc *variable = idem_variable_docs; variable->name; variable++) {
    const char *value = variable->in_force ? NULL : getenv(variable->name);
    if (!value || !*value)
      continue;
    snprintf(what, sizeof(what), "%s=%s", variable->name, value);
    say(arg, what);
  }
  for (size_t i = 0; i < config->rule_count; i++)
    look_at_rule(&config->rules[i], say, arg);
}
