/* SPDX-License-Identifier: MIT */
/*
 * An exchange as people and programs are told of it: an answer of the store, or a record of a tape. What both
 * have (the call, the headers, the bodies) is shown by the same code, as a struct idem_answer:
 *
 *     struct idem_answer view = cli_record_view(record);
 *     cli_fact_take("call", cli_call_text(&view, CLI_CALL_WHOLE));  "POST https://api.openai.com/v1/responses?a=b"
 *     cli_put_line(stdout, prompt, ...)
 *
 * Texts are allocated and the caller's; NULL means that memory ran out. Spans point into the answer or the
 * record.
 */
#ifndef IDEMSHIM_CLI_EXCHANGE_H
#define IDEMSHIM_CLI_EXCHANGE_H

#include "store/store.h"
#include "tape/tape.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* A text without its NUL. */
static inline struct idem_span cli_span(const char *text)
{
  return (struct idem_span){text, strlen(text)};
}

/* An empty span may have no bytes to point to. */
static inline bool cli_same(struct idem_span a, struct idem_span b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The record's call, headers and bodies as those of an answer; everything else in it is 0. */
struct idem_answer cli_record_view(const struct tape_record *record);

/* A port that the scheme implies is left out of each. */
enum cli_call_form {
  CLI_CALL_WHOLE, /* the method and the URL */
  CLI_CALL_URL,
  CLI_CALL_SHORT, /* for lists: without POST, https:// and the query */
};
char *cli_call_text(const struct idem_answer *answer, enum cli_call_form form);

/* "stream", "json" or "other". */
const char *cli_answer_kind(const struct idem_answer *answer);

/* "auto", "header", "json" or "content": what the key was made of. */
const char *cli_answer_key_kind(const struct idem_answer *answer);

bool cli_answer_expired(const struct idem_answer *answer, int64_t now_us);

/* The last block of response headers, from its status line on: redirects and 100 Continue have blocks of
 * their own. */
struct idem_span cli_last_block(struct idem_span headers);

/* The value of a header of the last block, or an empty span. */
struct idem_span cli_header(struct idem_span headers, const char *name);

/* True for a response that is a stream of events. */
bool cli_is_event_stream(struct idem_span headers);

/* True if the transfer failed, the status is one that says so, or the answer is none. */
bool cli_record_failed(const struct tape_record *record);

/* The tokens that a record's answer reports; -1 where it does not. */
struct idem_usage cli_record_usage(const struct tape_record *record);

/* "in" and "out" as people read them, or `unknown`. */
struct cli_tokens {
  char input[40], output[40];
};
struct cli_tokens cli_tokens(const struct idem_usage *usage, const char *unknown);

/* JSON, for programs; NULL when memory runs out. Each has what the one before it has and more. */
json_t *cli_answer_json_request(const struct idem_answer *answer);         /* what names the request */
json_t *cli_answer_json(const struct idem_answer *answer, int64_t now_us); /* what came of it: ls */
json_t *cli_answer_json_whole(const struct idem_answer *answer, bool raw); /* both sides: show */
json_t *cli_record_json(const struct tape_record *record);                 /* tape ls */
json_t *cli_record_json_whole(const struct tape_record *record);           /* tape show */

#endif
