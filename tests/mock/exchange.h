/* SPDX-License-Identifier: MIT */
/*
 * exchange: one request and its answer, from the request line to the last byte.
 */
#ifndef MOCK_EXCHANGE_H
#define MOCK_EXCHANGE_H

#include "tests/mock/play.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

struct exchange {
  char *target; /* as in the request line */
  bool arrived; /* the header is here */
  bool control;
  bool reused; /* the connection has carried an API request before */
  uint64_t serial;
  char *body;
  size_t body_len;
  struct play play;
};

/* NULL: no memory. */
struct exchange *exchange_new(const char *target);
void exchange_free(struct exchange *exchange);

/* The header is here: takes the default script and enters it in the ledger. `fresh` is the connection's mark
 * that it has carried no API request yet. */
void exchange_arrived(struct exchange *exchange, struct MHD_Connection *connection, const char *method,
                      bool *fresh);

/* More of the body. False: no memory. */
bool exchange_body(struct exchange *exchange, const char *bytes, size_t len);

/* The request is whole: an API's answer, and the answer of the server's own endpoints under /_mock/. */
enum MHD_Result exchange_answer(struct exchange *exchange, struct MHD_Connection *connection,
                                const char *path);
enum MHD_Result control_answer(struct MHD_Connection *connection, const struct exchange *exchange,
                               const char *method, const char *path);

/* Sends `text` and takes it (malloc). */
enum MHD_Result exchange_send(struct MHD_Connection *connection, unsigned status, const char *type,
                              char *text);

#endif
