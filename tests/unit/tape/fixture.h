/* SPDX-License-Identifier: MIT */
/*
 * A tape in a directory of its own, and exchanges to put on it: what every test of the tape begins with.
 *
 *     TestSuite(tape_x, .init = open_fixture, .fini = close_fixture);
 *
 *     struct exchange exchange = exchange_of(&fixture, "{\"prompt\":1}");
 *     exchange.outcome.status = 429;
 *     exchange_record(&exchange);
 *     struct tape *tape = fixture_tape(&fixture);                       // what has been recorded so far
 */
#ifndef TESTS_TAPE_FIXTURE_H
#define TESTS_TAPE_FIXTURE_H

#include "tape/tape.h"

#include <string.h>

#define SPAN(text) ((struct idem_span){text, strlen(text)})
#define OK_HEADERS "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

struct fixture {
  char dir[128], top[112]; /* of the tape; of everything */
  struct tape_options options;
  struct tape_source source;
  struct tape_writer *writer;
  struct tape *tape;
  struct idem_config config;
  struct idem_error error;
  char findings[4096];
};

/* The one of the test that runs, and how a suite opens and closes it. Each test is a process. */
extern struct fixture fixture;
void open_fixture(void);
void open_sealed_fixture(void);
void close_fixture(void);

/* Makes the directory and opens a writer; the rule is `host=*`. */
void fixture_open(struct fixture *self);
/* The same for an encrypted tape. */
void fixture_open_sealed(struct fixture *self);
void fixture_close(struct fixture *self);

/* Another rule for the calls from now on: `host=* FIELDS`. */
void fixture_rule(struct fixture *self, const char *fields);
/* Closes the writer and opens one with self->options. 0 or -errno. */
int fixture_reopen(struct fixture *self);
/* Opens the tape as it is now; what was open before is closed. Fails the test if that cannot be done. */
struct tape *fixture_tape(struct fixture *self);
/* What tape_open() returns, with self->source. */
int fixture_try(struct fixture *self);
/* The path of a file in the tape, or beside it; in one of 8 places taken in turn. */
const char *fixture_segment(const struct fixture *self, unsigned number);
const char *fixture_beside(const struct fixture *self, const char *name);
void fixture_write(const char *path, const void *bytes, size_t len);
char *fixture_read(const char *path, size_t *len);

struct exchange {
  struct fixture *fixture;
  struct tape_call call;
  struct idem_request request;
  struct idem_span headers[16];
  struct tape_chunk chunks[4];
  struct tape_outcome outcome;
};

/* A POST of `body` that got a 200 with {"answer":1} in two chunks; its place in the run is taken. */
struct exchange exchange_of(struct fixture *self, const char *body);
void exchange_header(struct exchange *exchange, const char *line);
/* Names it and appends it; fails the test if that cannot be done. */
void exchange_record(struct exchange *exchange);
/* Names it, and returns what tape_append() returned. */
int exchange_try(struct exchange *exchange);

#endif
