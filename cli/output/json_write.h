/* SPDX-License-Identifier: MIT */
/* JSON text as it is made, for documents too large to be built in memory. */
#ifndef IDEMSHIM_CLI_JSON_WRITE_H
#define IDEMSHIM_CLI_JSON_WRITE_H

#include "store/store.h"

#include <stdio.h>

/* A string with its quotes; bytes that are not UTF-8 become U+FFFD. What ends a script element or a line of
 * JavaScript is written as \u escapes, so the text may stand in a page. */
void cli_write_json_string(FILE *out, struct idem_span text);

/* The bytes in base64, with quotes. */
void cli_write_json_base64(FILE *out, struct idem_span bytes);

/* True if the bytes are text: UTF-8, without the control characters that no text has. */
bool cli_is_text(struct idem_span bytes);

#endif
