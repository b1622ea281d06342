/* SPDX-License-Identifier: MIT */
/*
 * An HTTP/1.1 request as it comes in (RFC 9112), of which nothing is kept but its method and where it ends: lengths, chunks,
 * trailers, Expect.
 *
 *     struct doctor_request request = {0};
 *     while (doctor_request_feed(&request, bytes, len) == DOCTOR_REQUEST_PART) ...     more is to come
 */
#ifndef IDEMSHIM_CLI_DOCTOR_REQUEST_H
#define IDEMSHIM_CLI_DOCTOR_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much of it is there. */
enum doctor_request_state { DOCTOR_REQUEST_PART, DOCTOR_REQUEST_WHOLE, DOCTOR_REQUEST_BAD };

/* All zero is a request of which nothing has come yet. */
struct doctor_request {
  char method[16];

  char line[1024]; /* the rest is private: the line that is being read, cut where it is longer */
  size_t line_len;
  int part;
  uint64_t left; /* of the body or of its chunk */
  bool chunked, expects;
};

/* Takes the next bytes. What follows a whole request is not looked at. */
enum doctor_request_state doctor_request_feed(struct doctor_request *request, const char *bytes, size_t len);

/* True once if the client waits for a "100 Continue" before it sends its body. */
bool doctor_request_wants_word(struct doctor_request *request);

#endif
