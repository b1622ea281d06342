/* SPDX-License-Identifier: MIT */
/*
 * A label of a Prometheus metric, whose value is a string with escapes of its own (text format 0.0.4).
 *
 *     cli_put_label("", "model", model);                          model="gpt-4o"
 *     cli_put_label(",", "host", host);                           ,host="api.openai.com"
 */
#ifndef IDEMSHIM_CLI_LABEL_H
#define IDEMSHIM_CLI_LABEL_H

#include <stdbool.h>

/* Bytes that are no UTF-8 become U+FFFD, since a scraper refuses all of a page for one of them. */
void cli_put_label(const char *before, const char *name, const char *value);

/* Whether both come out as the same label: a collector refuses all of a page that has one series twice. */
bool cli_labels_equal(const char *a, const char *b);

#endif
