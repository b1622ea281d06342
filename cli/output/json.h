/* SPDX-License-Identifier: MIT */
/*
 * JSON for programs, made of bytes that need not be text. Documents of one thing are built with jansson; what
 * may be larger than memory (lists, archives, pages) is written as it is made.
 *
 *     json_t *document = json_pack("{s:s, s:o}", "id", answer->id, "method", cli_json_text(answer->method));
 *     cli_json_set_bytes(document, "body", answer->body);      "body", or "body_base64" if it is not UTF-8
 *     return cli_print_json(document);
 *
 * jansson's functions take NULL for a value that could not be made and give NULL in turn, so memory that ran
 * out is looked for once, by cli_print_json().
 */
#ifndef IDEMSHIM_CLI_JSON_H
#define IDEMSHIM_CLI_JSON_H

#include "store/store.h"

#include <jansson.h>
#include <stdio.h>

/* A string; bytes that are not UTF-8 become U+FFFD. */
json_t *cli_json_text(struct idem_span text);

/* The same of a C string: null for NULL. */
json_t *cli_json_string(const char *text);

/* The same of an allocated one, which is freed: NULL for NULL, for it means that memory ran out. */
json_t *cli_json_take(char *text);

/* Adds `name` with the bytes as a string, or, where that would lose something, `name`_base64. */
void cli_json_set_bytes(json_t *object, const char *name, struct idem_span bytes);

/* Prints the document and a newline, and frees it. What a terminal could obey is escaped when one reads it. A
 * NULL document means that memory ran out: says so. Returns an enum cli_exit. */
int cli_print_json(json_t *document);

/* The same on one line, of a document that is one of many. */
int cli_print_json_line(json_t *document);

/* The flags that every JSON output is dumped with; add JSON_INDENT for a document that stands alone. */
size_t cli_json_flags(void);

/* Writes a string with its quotes; bytes that are not UTF-8 become U+FFFD. What ends a script element or a
 * line of JavaScript is written as \u escapes, so the text may stand in a page. */
void cli_write_json_string(FILE *out, struct idem_span text);

/* Writes the bytes in base64, with quotes. */
void cli_write_json_base64(FILE *out, struct idem_span bytes);

/* True if the bytes are text: UTF-8, without the control characters that no text has. */
bool cli_is_text(struct idem_span bytes);

#endif
