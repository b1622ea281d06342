/* SPDX-License-Identifier: MIT */
/*
 * What `check` has found out, and its two forms. The command fills a struct cli_check (the configuration, the
 * state of the store, the call that was asked about and its rule); the forms only print it, so that text and
 * JSON cannot disagree.
 */
#ifndef IDEMSHIM_CLI_CHECK_H
#define IDEMSHIM_CLI_CHECK_H

#include "config/config.h"

#include <jansson.h>

/* What was asked about, if anything, and the rule that it meets. */
struct cli_check {
  const struct idem_config *config;
  const char *store_state;      /* "usable", "not made yet", or what is wrong with it */
  const char *method, *url;     /* `url` NULL: no call was asked about */
  json_t *request;              /* of check_request.h; NULL: no rule stores it */
  bool all;                     /* list every rule, the built-in ones too */
  const struct idem_rule *rule; /* NULL: the call meets none */
  bool left_alone;              /* the path looks stateful, and the rule does not name it */
  enum idem_upstream_key key;   /* what the provider does with the operation's key */
};

/* What happens to a call that meets `rule` (NULL: none) in this mode, as a short sentence. */
const char *cli_check_verdict(const struct cli_check *check);

/* What sending a call again means at this provider. */
const char *cli_check_key(const struct cli_check *check);

/* Both print, and return the code to exit with. */
int cli_check_print(const struct cli_check *check);
int cli_check_print_json(const struct cli_check *check);

/* The tables of variables and fields, one a line, parts separated by tabs: the manual is compared with them.
 */
void cli_check_print_docs(void);

#endif
