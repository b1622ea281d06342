/* SPDX-License-Identifier: MIT */
/*
 * A URL as rules see it.
 */
#ifndef IDEMSHIM_CLI_URL_H
#define IDEMSHIM_CLI_URL_H

#include "config/config.h"

/* Takes an http or https URL apart: host, port (the scheme's own if none is given) and path. Without a scheme
 * it is https. `target` points into `url`. -EINVAL with the message if it is no such URL. */
int cli_url_parse(const char *url, struct idem_target *target, struct idem_error *error);

#endif
