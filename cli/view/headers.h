/* SPDX-License-Identifier: MIT */
/*
 * Header lines as they are shown. A line that hands the app a secret (Set-Cookie and the like) keeps its name
 * and loses its value, unless the caller asks for it raw; everything else is shown as it was stored.
 *
 *     cli_put_headers(stdout, answer->headers, "  ", (struct cli_header_style){.raw = options->raw});
 *                                                   "  Content-Type: application/json"
 *                                                   "  Set-Cookie: [redacted]"
 *
 * `exact` keeps every byte and the lines' own ends, for a pipe; without it, control characters are escaped.
 */
#ifndef IDEMSHIM_CLI_HEADERS_H
#define IDEMSHIM_CLI_HEADERS_H

#include "store/store.h"

#include <jansson.h>
#include <stdio.h>

/* How a block is written: `raw` with the secrets, else their values are [redacted]; `exact` byte for byte,
 * else one escaped line for each header. */
struct cli_header_style {
  bool raw, exact;
};

/* Writes the lines, each after `indent` ("" where they are exact). */
void cli_put_headers(FILE *out, struct idem_span headers, const char *indent, struct cli_header_style style);

/* The same as one JSON string; NULL when memory runs out. */
json_t *cli_headers_json(struct idem_span headers, bool raw);

#endif
