/* SPDX-License-Identifier: MIT */
/* `check --json`. Durations and sizes are numbers, in milliseconds and bytes; what is not set is
 * null. A rule appears twice: as the line that a person would write, and with every field,
 * defaults too, as its treatment. */
#include "cli/command/command.h"
#include "cli/commands/check.h"
#include "cli/output/json.h"
#include "cli/view/rules.h"
#include "config/fleet.h"

#include <stdlib.h>
#include <string.h>

/* The line is what idem_rule_format() makes: fields that differ from their defaults, as a person
 * would write them. */
static json_t *rule_json(const struct idem_rule *rule)
{
  char *text = cli_rule_text(rule);
  json_t *object =
      json_pack("{s:o, s:i, s:o, s:o}", "origin", cli_json_string(rule->origin), "number", rule->number,
                "name", cli_json_string(rule->name), "rule", cli_json_string(text));
  free(text);
  return object;
}

/* Every field of the rule, defaults too. */
static json_t *treatment_json(const struct idem_rule *rule)
{
  char value[CLI_VALUE_SIZE];
  json_t *object = json_object();
  for (const struct idem_doc *field = idem_field_docs; field->name; field++)
    json_object_set_new(object, field->name,
                        cli_json_string(cli_rule_value(rule, field->name, value) ? value : field->fallback));
  return object;
}

/* null where no call was asked about. */
static json_t *call_json(const struct cli_check *check)
{
  if (!check->url)
    return json_null();
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:O?}", "method", cli_json_string(check->method), "url",
                   cli_json_string(check->url), "verdict", cli_json_string(cli_check_verdict(check)), "rule",
                   check->rule ? rule_json(check->rule) : json_null(), "treatment",
                   check->rule ? treatment_json(check->rule) : json_null(), "upstream_key",
                   check->rule ? cli_json_string(cli_check_key(check)) : json_null(), "request",
                   check->request);
}

/* null without a tape: then none of its settings has a meaning. */
static json_t *tape_json(const struct idem_config *config)
{
  if (!config->tape_dir)
    return json_null();
  return json_pack("{s:o, s:I, s:o, s:f, s:s, s:s, s:o, s:o, s:o}", "dir", cli_json_string(config->tape_dir),
                   "size", (json_int_t)config->tape_size, "age_ms",
                   config->tape_age_ms ? json_integer((json_int_t)config->tape_age_ms) : json_null(), "pace",
                   config->speed, "match", config->match_loose ? "loose" : "exact", "exhausted",
                   config->exhausted_last ? "last" : "error", "replay_state",
                   cli_json_string(config->replay_state), "replay_edit", cli_json_string(config->replay_edit),
                   "key_file", cli_json_string(config->tape_key_file));
}

/* Every variable, also those that have their defaults: they have no value and no source. */
static json_t *variables_json(const struct idem_config *config)
{
  json_t *object = json_object();
  for (size_t i = 0; idem_variable_docs[i].name; i++) {
    const struct idem_given *given = &config->given[i];
    json_object_set_new(object, idem_variable_docs[i].name,
                        json_pack("{s:o, s:o, s:o}", "value", cli_json_string(given->value), "source",
                                  cli_json_string(given->file    ? given->file
                                                  : given->found ? given->found
                                                  : given->value ? "environment"
                                                                 : NULL),
                                  "line", given->file ? json_integer(given->line) : json_null()));
  }
  return object;
}

/* One document for everything, so a program needs no second call. Every rule in force is in it, the built-in
 * ones too, in the order in which they are tried. The store's state is a sentence, since it may be any of its
 * own messages. */
int cli_check_print_json(const struct cli_check *check)
{
  const struct idem_config *config = check->config;
  json_t *rules = json_array();
  for (size_t i = 0; i < config->rule_count; i++)
    json_array_append_new(rules, rule_json(&config->rules[i]));
  return cli_print_json(json_pack(
      "{s:o, s:{s:o, s:o, s:I, s:b}, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o}", "mode",
      cli_json_string(cli_mode_name(config->mode)), "store", "dir", cli_json_string(config->store_dir),
      "state", cli_json_string(check->store_state), "size", (json_int_t)config->store_size, "sync",
      (int)config->sync, "scope", cli_json_string(config->scope), "tape", tape_json(config), "fleet",
      cli_json_string(config->fleet ? config->fleet->shown : NULL), "log", cli_json_string(config->log),
      "hook_dl", (int)config->hook_dl, "transport", config->delivery == IDEM_DELIVERY_TRANSPORT, "variables",
      variables_json(config), "rules", rules, "call", call_json(check)));
}
