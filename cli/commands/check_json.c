/* SPDX-License-Identifier: MIT */
#include "cli/command/command.h"
#include "cli/commands/check.h"
#include "cli/output/json.h"
#include "cli/view/mode.h"
#include "cli/view/rules.h"

#include <stdlib.h>
#include <string.h>

static json_t *text_json(const char *text)
{
  return text ? cli_json_text((struct idem_span){text, strlen(text)}) : json_null();
}

static json_t *rule_json(const struct idem_rule *rule)
{
  char *text = cli_rule_text(rule);
  json_t *object = json_pack("{s:o, s:i, s:o, s:o}", "origin", text_json(rule->origin), "number",
                             rule->number, "name", text_json(rule->name), "rule", text_json(text));
  free(text);
  return object;
}

static json_t *rules_json(const struct idem_config *config)
{
  json_t *list = json_array();
  for (size_t i = 0; i < config->rule_count; i++)
    json_array_append_new(list, rule_json(&config->rules[i]));
  return list;
}

/* Every field of the rule, defaults too. */
static json_t *treatment_json(const struct idem_rule *rule)
{
  char value[CLI_VALUE_SIZE];
  json_t *object = json_object();
  for (const struct idem_doc *field = idem_field_docs; field->name; field++)
    json_object_set_new(object, field->name,
                        text_json(cli_rule_value(rule, field->name, value) ? value : field->fallback));
  return object;
}

static json_t *call_json(const struct cli_check *check)
{
  if (!check->url)
    return json_null();
  return json_pack("{s:o, s:o, s:o, s:o, s:o}", "method", text_json(check->method), "url",
                   text_json(check->url), "verdict", text_json(cli_check_verdict(check)), "rule",
                   check->rule ? rule_json(check->rule) : json_null(), "treatment",
                   check->rule ? treatment_json(check->rule) : json_null());
}

static json_t *store_json(const struct cli_check *check)
{
  const struct idem_config *config = check->config;
  return json_pack("{s:o, s:o, s:I, s:b}", "dir", text_json(config->store_dir), "state",
                   text_json(check->store_state), "size", (json_int_t)config->store_size, "sync",
                   (int)config->sync);
}

static json_t *tape_json(const struct idem_config *config)
{
  if (!config->tape_dir)
    return json_null();
  return json_pack("{s:o, s:I, s:o, s:f, s:s, s:s, s:o, s:o, s:o}", "dir", text_json(config->tape_dir),
                   "size", (json_int_t)config->tape_size, "age_ms",
                   config->tape_age_ms ? json_integer((json_int_t)config->tape_age_ms) : json_null(), "pace",
                   config->speed, "match", config->match_loose ? "loose" : "exact", "exhausted",
                   config->exhausted_last ? "last" : "error", "replay_state", text_json(config->replay_state),
                   "replay_edit", text_json(config->replay_edit), "key_file", text_json(config->key_file));
}

int cli_check_print_json(const struct cli_check *check)
{
  const struct idem_config *config = check->config;
  return cli_print_json(json_pack(
      "{s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o}", "mode", text_json(cli_mode_name(config->mode)),
      "store", store_json(check), "scope", text_json(config->scope), "tape", tape_json(config), "log",
      text_json(config->log), "hook_dl", (int)config->hook_dl, "transport",
      config->delivery == IDEM_DELIVERY_TRANSPORT, "rules", rules_json(config), "call", call_json(check)));
}
