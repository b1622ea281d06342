/* SPDX-License-Identifier: MIT */
/* `check` for people: settings first, then either the rules or what becomes of the one call that
 * was asked about. `--docs` prints the tables that the manual pages are compared with by the
 * tests. */
#include "cli/commands/check.h"
#include "cli/output/output.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/view/rules.h"
#include "config/fleet.h"
#include "config/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing of a tape that is not named. One that is read has other settings than one that is written: how
 * fast, how strict, and what after its end. */
static void print_tape(const struct idem_config *config)
{
  char text[CLI_UNIT_SIZE];
  if (!config->tape_dir)
    return;
  if (config->mode == IDEM_MODE_OBSERVE || config->mode == IDEM_MODE_OFF) {
    cli_fact("tape", "%s (not used in this mode)", config->tape_dir);
    return;
  }
  if (config->mode != IDEM_MODE_REPLAY) {
    cli_fact("tape", "%s (%s%s)", config->tape_dir, config->tape_size ? "up to " : "of any size",
             config->tape_size ? cli_bytes(text, config->tape_size) : "");
    if (config->tape_age_ms)
      cli_fact("tape age", "up to %s", cli_duration(text, config->tape_age_ms));
    return;
  }
  snprintf(text, sizeof(text), "%g times as fast", config->speed);
  cli_fact("tape", "%s", config->tape_dir);
  cli_fact("pace", "%s", config->speed == 0 ? "instant" : config->speed == 1 ? "original" : text);
  cli_fact("match", "%s", config->match_loose ? "loose" : "exact");
  cli_fact("exhausted", "%s", config->exhausted_last ? "the last outcome again" : "error");
  if (config->replay_state)
    cli_fact("replay state", "%s", config->replay_state);
  if (config->replay_edit)
    cli_fact("replay edit", "%s", config->replay_edit);
}

/* Settings that are as everybody has them (delivery, hooks) are only told where they are not. */
static void print_settings(const struct cli_check *check)
{
  const struct idem_config *config = check->config;
  char size[CLI_UNIT_SIZE];
  cli_fact("mode", "%s", cli_mode_name(config->mode));
  cli_fact("store", "%s (%s)", config->store_dir, check->store_state);
  cli_fact("store size", "%s%s", cli_bytes(size, config->store_size),
           config->sync ? "" : ", not waiting for the disk");
  cli_fact("scope", "%s", *config->scope ? config->scope : "none");
  print_tape(config);
  if (config->key_file) /* the store's, too */
    cli_fact("key file", "%s", config->key_file);
  if (config->tape_key_file != config->key_file)
    cli_fact("tape's key", "%s", config->tape_key_file);
  if (config->fleet)
    cli_fact("fleet", "%s", config->fleet->shown);
  cli_fact("log", "%s", config->log ? config->log : "none");
  if (config->delivery == IDEM_DELIVERY_TRANSPORT)
    cli_fact("delivery", "always through libcurl");
  if (!config->hook_dl)
    cli_fact("hooks", "dlopen and dlsym are left alone");
}

/* Variables that have their defaults are many, and told by --all alone. */
static void print_variables(const struct cli_check *check)
{
  size_t defaults = 0;
  printf("\n%svariables, and where each comes from%s\n", cli_style(CLI_BOLD), cli_style(CLI_PLAIN));
  for (size_t i = 0; idem_variable_docs[i].name; i++) {
    const struct idem_given *given = &check->config->given[i];
    bool set = given->value && *given->value;
    /* What was given, also where it is empty text in a file: that is as good as not given. */
    const char *value = set ? given->value : idem_variable_docs[i].fallback;
    defaults += !set;
    if (!set && !check->all)
      continue;
    printf("  %-22s ", idem_variable_docs[i].name);
    cli_put_line(stdout, value, strlen(value), CLI_UNCUT);
    printf("  %s", cli_style(CLI_DIM));
    if (given->file)
      printf("%s line %u", given->file, given->line);
    else if (given->found)
      printf("found by %s", given->found);
    else
      fputs(set ? "environment" : "default", stdout);
    puts(cli_style(CLI_PLAIN));
  }
  if (!check->all)
    printf("  (%zu %s; idemshim check --all lists %s)\n", defaults,
           idem_word(defaults, "other has its default", "others have their defaults"),
           idem_word(defaults, "it", "them"));
}

/* "IDEMSHIM_RULES 2    host=... ttl=7d  # OpenAI": where the rule comes from, what it says, whose
 * it is. */
static void print_rule(const struct idem_rule *rule)
{
  char *text = cli_rule_text(rule), number[32];
  snprintf(number, sizeof(number), "%s %d", rule->origin, rule->number);
  printf("  %-18s  ", number);
  if (text)
    cli_put_line(stdout, text, strlen(text), CLI_UNCUT);
  if (rule->name)
    printf("  %s# %s%s", cli_style(CLI_DIM), rule->name, cli_style(CLI_PLAIN));
  putchar('\n');
  free(text);
}

/* What a rule gives up, and whoever wrote it may not have meant to. */
static void print_warning(const struct idem_rule *rule)
{
  if (rule->keying.tenant == IDEM_TENANT_NONE)
    printf(
        "  %-18s  %s! tenant=none: an answer is given to everybody, whatever key, cookies or password they "
        "have%s\n",
        "", cli_style(CLI_BOLD), cli_style(CLI_PLAIN));
  if (rule->trust == IDEM_TRUST_NONE)
    printf("  %-18s  %s! trust=none: an answer that was fetched without verification is given to calls that "
           "verify%s\n",
           "", cli_style(CLI_BOLD), cli_style(CLI_PLAIN));
}

/* The built-in rules are many: one line for each provider, which has its rules in a row. */
static size_t print_provider(const struct idem_config *config, size_t first)
{
  const struct idem_rule *rules = config->rules;
  size_t end = first;
  while (end < config->rule_count && rules[end].name && strcmp(rules[end].name, rules[first].name) == 0)
    end++;
  printf("  %-18s  %s, %zu %s\n", rules[first].origin, rules[first].name, end - first,
         idem_word(end - first, "rule", "rules"));
  return end;
}

/* Built-in rules are folded by provider unless --all: there are some hundred of them. */
static void print_rules(const struct cli_check *check)
{
  const struct idem_config *config = check->config;
  bool folded = false;
  printf("\n%srules, of which the first that matches counts%s\n", cli_style(CLI_BOLD), cli_style(CLI_PLAIN));
  for (size_t i = 0; i < config->rule_count;) {
    /* A rule with a provider's name is built in. */
    if (check->all || !config->rules[i].name) {
      print_rule(&config->rules[i]);
      print_warning(&config->rules[i++]);
      continue;
    }
    i = print_provider(config, i);
    folded = true;
  }
  if (folded)
    puts("  (idemshim check --all lists each rule)");
}

/* Every field, those that differ from their default in green, so that a person sees at once what
 * the rule changes. */
static void print_treatment(const struct idem_rule *rule)
{
  char value[CLI_VALUE_SIZE];
  for (const struct idem_doc *field = idem_field_docs; field->name; field++) {
    bool set = cli_rule_value(rule, field->name, value);
    printf("  %s%-9s%s ", set ? cli_style(CLI_GREEN) : "", field->name, set ? cli_style(CLI_PLAIN) : "");
    cli_put_line(stdout, set ? value : field->fallback, strlen(set ? value : field->fallback), CLI_UNCUT);
    putchar('\n');
  }
}

/* A list of the document, on one line; it may have words of the user's in it. */
static void print_list(const char *label, const json_t *list, const char *none)
{
  printf("  %-12s ", label);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *text = json_string_value(json_array_get(list, i));
    fputs(i ? ", " : "", stdout);
    cli_put_line(stdout, text, strlen(text), CLI_UNCUT);
  }
  puts(json_array_size(list) ? "" : none);
}

/* What it means to make the call again. */
static void print_repeats(const struct idem_rule *rule, const json_t *request)
{
  /* A key of the call's own comes before what its content looks like. */
  const char *kind = json_is_true(json_object_get(request, "sampled")) ? "sampled"
                     : strcmp(json_string_value(json_object_get(request, "key")), "content")
                         ? "with a key of its own"
                         : "deterministic";
  bool numbered = json_is_true(json_object_get(request, "numbered"));
  printf("  %-12s %s: %s\n", "again", kind,
         numbered ? "the n-th of a process is operation n, and the id is that of number 0"
         : rule->repeats == IDEM_REPEATS_FRESH
             ? "another operation once the answer was delivered; the id is the first's"
             : "the same operation");
}

/* What the request would be named by, in which there is no credential. */
static void print_request(const struct idem_rule *rule, const json_t *request)
{
  /* Why it would pass, such as a header that the rule wants and that was not given. */
  const char *live = json_string_value(json_object_get(request, "live"));
  const char *id = json_string_value(json_object_get(request, "id"));
  putchar('\n');
  if (live) {
    printf("  sent as if idemshim were not there: %s\n", live);
    return;
  }
  print_list("tenant", json_object_get(request, "tenant"), "nobody");
  printf("  %-12s %s, id %s\n", "key", json_string_value(json_object_get(request, "key")),
         id ? id : "not known before there is a store");
  print_repeats(rule, request);
  printf("  %-12s %s\n", "fingerprint", json_string_value(json_object_get(request, "fingerprint")));
  print_list("headers", json_object_get(request, "content_headers"), "none in the fingerprint");
  print_list("left out", json_object_get(request, "left_out"), "nothing");
  if (json_is_true(json_object_get(request, "unread")))
    puts("  the body is no JSON: all of it counts, whatever ignore= says");
}

/* The call, the rule that it meets, what happens to it, and then every field of the rule. */
static void print_call(const struct cli_check *check)
{
  printf("\n%s%s %s%s\n", cli_style(CLI_BOLD), check->method, check->url, cli_style(CLI_PLAIN));
  if (check->rule)
    print_rule(check->rule);
  printf("  %s\n", cli_check_verdict(check));
  if (check->rule && check->rule->action == IDEM_ACTION_STORE) {
    print_warning(check->rule);
    putchar('\n');
    print_treatment(check->rule);
    printf("  upstream's use of the key: %s\n", cli_check_key(check));
    print_request(check->rule, check->request);
  }
}

/* Either the rules or one call: both together would not fit a screen. */
int cli_check_print(const struct cli_check *check)
{
  print_settings(check);
  print_variables(check);
  if (check->url)
    print_call(check);
  else
    print_rules(check);
  return CLI_OK;
}

/* Tab-separated, a line for each row of variables.def and fields.def. */
void cli_check_print_docs(void)
{
  for (const struct idem_doc *row = idem_variable_docs; row->name; row++)
    printf("variable\t%s\t%s\t%s\t%s\n", row->name, row->values, row->fallback, row->help);
  for (const struct idem_doc *row = idem_field_docs; row->name; row++)
    printf("field\t%s\t%s\t%s\t%s\n", row->name, row->values, row->fallback, row->help);
}
