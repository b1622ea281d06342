/* SPDX-License-Identifier: MIT */
/*
 * Answers to judge. One is stored or refused; what of it counts must not depend on the pieces in which it
 * came.
 *
 *     ALL_ARE(samples, IDEM_REFUSED);                                // struct answer_sample[]
 *     cr_assert_eq(answer_stored(OK("text/plain"), "a"), IDEM_STORED);
 */
#ifndef TESTS_STORE_ANSWER_FIXTURE_H
#define TESTS_STORE_ANSWER_FIXTURE_H

#include "store/judge/judge.h"
#include "tests/unit/store/fixture.h"

#define OK(type)  "HTTP/1.1 200 OK\r\nContent-Type: " type "\r\n\r\n"
#define EVENTS    OK("text/event-stream; charset=utf-8")
#define LINES     OK("application/x-ndjson")
#define OPENAI    "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
#define ANTHROPIC "event: content_block_delta\ndata: {\"type\":\"content_block_delta\"}\n\n"

struct answer_sample {
  const char *headers, *body;
};

/* The tokens of the answer that was stored last. */
extern struct idem_usage answer_usage;

/* Sends a new call and gives it this answer; IDEM_STORED or IDEM_REFUSED. */
int answer_commit(const struct idem_recording *recording);
int answer_stored(const char *headers, const char *body);

/* Whether a call to `path` that has no headers, under `rule` (NULL: the fixture's),
 * takes it for an answer. */
bool answer_accepted(const char *path, const struct idem_rule *rule, const struct answer_sample *sample,
                     struct idem_error *why);

/* Each is `wanted`, in one piece and in three. */
#define ALL_ARE(samples, wanted) all_answers_are(samples, sizeof(samples) / sizeof(*(samples)), wanted)
void all_answers_are(const struct answer_sample *sample, size_t count, int wanted);

#endif
