/* SPDX-License-Identifier: MIT */
/*
 * A rule as text: idem_rule_format() with memory for it, and single fields taken from that.
 */
#ifndef IDEMSHIM_CLI_RULE_TEXT_H
#define IDEMSHIM_CLI_RULE_TEXT_H

#include "config/config.h"

#define CLI_VALUE_SIZE 1024

/* The whole rule; the caller frees it. NULL when memory runs out. */
char *cli_rule_text(const struct idem_rule *rule);

/* The value of a field that differs from its default, cut to CLI_VALUE_SIZE; false if it does not differ. */
bool cli_rule_value(const struct idem_rule *rule, const char *field, char value[CLI_VALUE_SIZE]);

/* "idempotent", as IDEMSHIM_MODE has it. */
const char *cli_mode_name(enum idem_mode mode);

/* Takes an http or https URL apart as rules see it: host, port (the scheme's own if none is given) and path. Without a scheme it is https.
 * `target` points into `url`. -EINVAL with the message if it is no such URL. */
int cli_url_parse(const char *url, struct idem_target *target, struct idem_error *error);

#endif
