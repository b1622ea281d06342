/* SPDX-License-Identifier: MIT */
/*
 * Rules, modes and URLs as text.
 *
 *     char value[CLI_VALUE_SIZE], *text = cli_rule_text(rule);     "host=api.openai.com ttl=7d"
 *     if (cli_rule_value(rule, "ttl", value)) ...                  it differs from its default: "7d"
 *     free(text);
 *
 * A field's value is taken from the rule's own line, so a new field needs nothing here.
 */
#ifndef IDEMSHIM_CLI_RULE_TEXT_H
#define IDEMSHIM_CLI_RULE_TEXT_H

#include "config/config.h"

/* A longer value is cut: a list of many pointers is still recognised by its beginning. */
#define CLI_VALUE_SIZE 1024

/* The whole rule; the caller frees it. NULL when memory runs out. */
char *cli_rule_text(const struct idem_rule *rule);

/* The value of a field that differs from its default, cut to CLI_VALUE_SIZE; false if it does not differ. */
bool cli_rule_value(const struct idem_rule *rule, const char *field, char value[CLI_VALUE_SIZE]);

/* "idempotent", as IDEMSHIM_MODE has it. */
const char *cli_mode_name(enum idem_mode mode);

/* The built-in rules alone, whatever the environment and the files say; as idem_config_load(). */
int cli_built_in_rules(struct idem_config *config, struct idem_error *error);

/* Takes an http or https URL apart as rules see it: host, port (the scheme's own if none is given) and path.
 * Without a scheme it is https. `target` points into `url`. -EINVAL with the message if it is no such URL. */
int cli_url_parse(const char *url, struct idem_target *target, struct idem_error *error);

#endif
