/* SPDX-License-Identifier: MIT */
/*
 * answer: a response as it will be sent, composed whole before its first byte goes out.
 *
 * An answer is reference counted, because an honoured Idempotency-Key keeps it for later. It is written by
 * one thread, and never changes once a second one can see it.
 *
 *     struct answer *answer = answer_new(200, "text/event-stream");
 *     answer_event(answer, "ping", json_object());
 *     answer_end_mark(answer);
 *     answer_event(answer, "done", json_object());
 *     answer_free(answer);
 */
#ifndef MOCK_ANSWER_H
#define MOCK_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct answer {
  unsigned status;
  const char *type; /* Content-Type */
  bool stream;
  char id[33]; /* hexadecimal, of the call that it was composed for */

  char *bytes;
  size_t len;
  size_t *cuts; /* offsets at which a piece ends; the last one is len */
  size_t cut_count;
  size_t end_mark; /* where a stream's own end begins */

  unsigned references; /* under the memory of recall.c once it is kept there */
};

struct answer *answer_new(unsigned status, const char *type);

/* Frees the answer with its last reference. NULL is fine. */
void answer_free(struct answer *answer);
struct answer *answer_keep(struct answer *answer);

/* Appends a piece: bytes, a JSON text, a line of JSON, or a server-sent event (`name` may be NULL). Takes
 * `json`. */
void answer_bytes(struct answer *answer, const void *bytes, size_t len);
void answer_json(struct answer *answer, json_t *json);
void answer_line(struct answer *answer, json_t *json);
void answer_event(struct answer *answer, const char *name, json_t *json);

/* The provider's end of the stream begins with the next piece. */
void answer_end_mark(struct answer *answer);

/* Puts the pieces of `insert` in the middle of the stream; `ends` drops what follows, the end included. */
void answer_splice(struct answer *answer, const struct answer *insert, bool ends);

#endif
