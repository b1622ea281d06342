/* SPDX-License-Identifier: MIT */
/*
 * JSON for programs, made of bytes that need not be text.
 */
#ifndef IDEMSHIM_CLI_JSON_H
#define IDEMSHIM_CLI_JSON_H

#include "store/store.h"

#include <jansson.h>

/* A string; bytes that are not UTF-8 become U+FFFD. */
json_t *cli_json_text(struct idem_span text);

/* Adds `name` with the bytes as a string, or, where that would lose something, `name`_base64. */
void cli_json_set_bytes(json_t *object, const char *name, struct idem_span bytes);

/* Prints the document and a newline, and frees it. What a terminal could obey is escaped when one reads it. A
 * NULL document means that memory ran out: says so. Returns an enum cli_exit. */
int cli_print_json(json_t *document);

/* The flags that every JSON output is dumped with; add JSON_INDENT for a document that stands alone. */
size_t cli_json_flags(void);

#endif
