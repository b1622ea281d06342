/* SPDX-License-Identifier: MIT */
/*
 * own_answers: what the shim itself says to the app: the header lines that mark a replay (mark=), and whole
 * answers in the place of one that cannot be given: application/problem+json (RFC 9457), delivered like any
 * other.
 *
 *     char marks[OWN_ANSWERS_MARKS_SIZE];
 *     own_answers_mark(request, marks);                       // "" or lines, each with its CRLF
 *     direct_deliver(request, marks, &code);
 *
 *     struct own_answers_room room;                           // the text of one, while it is delivered
 *     own_answers_prepare(request, &own_answers_mismatch, &room);   // it is request->op.answer now
 *     ...
 *     own_answers_release(&room);
 *
 * The claim of such a request has been left before: nothing is sent. Without memory the call fails with
 * CURLE_OUT_OF_MEMORY.
 */
#ifndef IDEMSHIM_SHIM_OWN_ANSWERS_H
#define IDEMSHIM_SHIM_OWN_ANSWERS_H

#include "shim/request/request.h"

/* The lines have a fixed length, 140 bytes with their NUL. */
#define OWN_ANSWERS_MARKS_SIZE 192

/* Writes the marks of `request->op.answer`, each line with its CRLF; "" if the rule or the answer has
 * none. */
void own_answers_mark(const struct request *request, char marks[OWN_ANSWERS_MARKS_SIZE]);

/* Adds what getinfo shows of an answer that came from nowhere. False without memory. */
bool own_answers_add_facts(struct buffer *facts, const struct request *request, int status, const char *type,
                           size_t header_len, size_t body_len);

/* `reason` stands in the status line; the others are members of the problem (RFC 9457, 3.1). */
struct own_answer {
  int status;
  const char *reason, *title, *detail;
};

/* 422: the key was used with another content (IETF Idempotency-Key draft, 2.7). */
extern const struct own_answer own_answers_mismatch;

/* 409: nobody knows whether upstream did the work. */
extern const struct own_answer own_answers_in_doubt;

/* 409: it may be sent once at most, and the store cannot keep that it was. */
extern const struct own_answer own_answers_unrecorded;

/* 429: the run has used up its budget. */
extern const struct own_answer own_answers_budget;

/* 429: the run has sent this call as often as it may. */
extern const struct own_answer own_answers_repeats;

/* Where the text of one lies while it is delivered. */
struct own_answers_room {
  char body[640], headers[256];
  struct buffer facts;
  struct idem_chunk chunk;
};

/* Makes it `request->op.answer`. False without memory. Release the room in both cases. */
bool own_answers_prepare(struct request *request, const struct own_answer *problem,
                         struct own_answers_room *room);
void own_answers_release(struct own_answers_room *room);

/* The same, delivered directly. */
CURLcode own_answers_deliver(struct request *request, const struct own_answer *problem,
                             struct own_answers_room *room);

#endif
