/* SPDX-License-Identifier: MIT */
/*
 * What a person can do so that two calls become one operation.
 */
#ifndef IDEMSHIM_CLI_ADVICE_H
#define IDEMSHIM_CLI_ADVICE_H

#include <stddef.h>

struct cli_nearest;
struct idem_answer;

/* Writes advice on the difference between `target` and the request that is nearest to it. */
void cli_advice(const struct idem_answer *target, const struct cli_nearest *nearest, char *out, size_t size);

#endif
