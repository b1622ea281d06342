/* SPDX-License-Identifier: MIT */
/*
 * recall: what the server remembers from one request to the next: its default script, how often a request was
 * seen (fail_first), and the answers under honoured keys.
 */
#ifndef MOCK_RECALL_H
#define MOCK_RECALL_H

#include "tests/mock/answer.h"
#include "tests/mock/script.h"

#include <stdint.h>

struct script recall_default(void);
void recall_set_default(const struct script *script);

/* How often a request with this path and body was seen before. Counts this one. */
uint64_t recall_seen(const char *path, const char *body, size_t len);

/* The answer under `key`, composed now if there is none. The caller owns one reference. */
struct answer *recall_answer(const char *key, struct answer *(*compose)(void *arg), void *arg);

void recall_reset(void);

#endif
