/* SPDX-License-Identifier: MIT */
/*
 * A stored answer as people and programs are told of it.
 */
#ifndef IDEMSHIM_CLI_ANSWER_H
#define IDEMSHIM_CLI_ANSWER_H

#include "store/store.h"

#include <jansson.h>
#include <stdio.h>

/* "stream", "json" or "other". */
const char *cli_answer_kind(const struct idem_answer *answer);

/* "header", "json" or "content": what the key was made of. */
const char *cli_answer_key_kind(const struct idem_answer *answer);

bool cli_answer_expired(const struct idem_answer *answer, int64_t now_us);

/* "POST https://api.openai.com/v1/responses?a=b": the method and the URL, without a port that its scheme
 * implies. */
void cli_answer_put_call(FILE *out, const struct idem_answer *answer);

/* The URL of it alone. */
void cli_answer_put_url(FILE *out, const struct idem_answer *answer);

/* The same in short, for lists: without POST, https:// and the query. */
void cli_answer_put_short_call(FILE *out, const struct idem_answer *answer);

/* What names the request. NULL when memory runs out. */
json_t *cli_answer_json_request(const struct idem_answer *answer);

/* That and what came of it; what ls --json and show --json have in common. NULL when memory runs out. */
json_t *cli_answer_json(const struct idem_answer *answer, int64_t now_us);

/* What `show` has beyond that: the request and the answer, whole. Headers that carry secrets are redacted
 * unless `raw`. */
void cli_answer_json_content(json_t *document, const struct idem_answer *answer, bool raw);

#endif
