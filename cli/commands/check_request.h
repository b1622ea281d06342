/* SPDX-License-Identifier: MIT */
/*
 * check_request: what a request would be named by, if the curl tool sent it without further options.
 *
 *     struct cli_request asked = {config, rule, &target, "POST", url, headers, "{}"};
 *     json_t *name = cli_request_name(&asked);
 *     puts(json_string_value(json_object_get(name, "fingerprint")));
 *     json_decref(name);
 *
 * The store's own functions are asked, so that a call gets the same. Names are told and never values, for
 * they may be credentials. No store is made.
 */
#ifndef IDEMSHIM_CLI_CHECK_REQUEST_H
#define IDEMSHIM_CLI_CHECK_REQUEST_H

#include "config/config.h"

#include <jansson.h>

struct cli_request {
  const struct idem_config *config;
  const struct idem_rule *rule;
  const struct idem_target *target; /* of `url` */
  const char *method, *url;
  const char *const *headers; /* CLI_LIST_MAX at most; ended by a NULL where there are fewer */
  const char *body;           /* NULL: none */
};

/* {"tenant": [what says who asks], "key": "header", "body" or "content", "id" (null: there is no store yet),
 * "fingerprint", "content_headers", "left_out", "unread"}; or {"live": why it has no name}. NULL without
 * memory. */
json_t *cli_request_name(const struct cli_request *asked);

#endif
