/* SPDX-License-Identifier: MIT */
/*
 * redact: what never reaches a tape. Names and shapes stay, so that a reader sees that there was a
 * credential.
 *
 *     struct tape_secrets secrets;
 *     tape_secrets_collect(request, &secrets);          before anything is written
 *     tape_redact_headers(&buffer, request);            "Authorization: [redacted]"
 *     tape_secrets_scrub(&secrets, body, len);          where a server echoes one: asterisks, same length
 */
#ifndef IDEMSHIM_TAPE_REDACT_H
#define IDEMSHIM_TAPE_REDACT_H

#include "store/base/buffer.h"

/* The credentials of one request, to be found again wherever they stand. */
enum { SECRETS_MOST = 32 };
/* Spans into the request; it must outlive them. */
struct tape_secrets {
  struct idem_span at[SECRETS_MOST];
  size_t count, coded_len;
  char coded[512]; /* what Basic makes of user and password; `at` points into it */
};

void tape_secrets_collect(const struct idem_request *request, struct tape_secrets *out);

/* Overwrites them with asterisks, so that no length changes. */
void tape_secrets_scrub(const struct tape_secrets *secrets, char *data, size_t len);

/* Each adds the redacted form. Header lines end in CRLF. */
void tape_redact_query(struct buffer *out, struct idem_span query);
void tape_redact_headers(struct buffer *out, const struct idem_request *request);

/* The body without what the rule's redact= points to; nothing at all if that cannot be found in it. */
void tape_redact_body(struct buffer *out, const struct idem_rule *rule, struct idem_span body);

/* Response headers, in place and with their lengths: the values of cookies. */
void tape_redact_response(char *headers, size_t len);

#endif
