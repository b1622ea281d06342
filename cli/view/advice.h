/* SPDX-License-Identifier: MIT */
/*
 * What a person can do so that two calls become one operation.
 */
#ifndef IDEMSHIM_CLI_ADVICE_H
#define IDEMSHIM_CLI_ADVICE_H

#include <stddef.h>

/* Writes advice on a difference, which is told as idem_store_compare() tells it. */
void cli_advice(const char *difference, char *out, size_t size);

#endif
