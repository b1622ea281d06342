/* SPDX-License-Identifier: MIT */
/*
 * A tape in a directory of its own, and exchanges to put on it: what every test of the tape begins with.
 *
 *     static struct studio studio;
 *     TestSuite(tape_x, .init = open_studio, .fini = close_studio);   // studio_open(), studio_close()
 *
 *     struct take take = take_of(&studio, "{\"prompt\":1}");
 *     take.outcome.status = 429;
 *     take_record(&take);
 *     struct tape *tape = studio_tape(&studio);                       // what has been recorded so far
 */
#ifndef IDEMSHIM_TESTS_TAPE_STUDIO_H
#define IDEMSHIM_TESTS_TAPE_STUDIO_H

#include "tape/tape.h"

#include <string.h>

#define SPAN(text) ((struct idem_span){text, strlen(text)})
#define OK_HEADERS "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

struct studio {
  char dir[128], top[112]; /* of the tape; of everything */
  struct tape_options options;
  struct tape_source source;
  struct tape_writer *writer;
  struct tape *tape;
  struct idem_config config;
  struct idem_error error;
  char findings[4096];
};

/* Makes the directory and opens a writer; the rule is `host=*`. */
void studio_open(struct studio *studio);
/* The same for an encrypted tape. */
void studio_open_sealed(struct studio *studio);
void studio_close(struct studio *studio);

/* Another rule for the calls from now on: `host=* FIELDS`. */
void studio_rule(struct studio *studio, const char *fields);
/* Closes the writer and opens one with studio->options. 0 or -errno. */
int studio_reopen(struct studio *studio);
/* Opens the tape as it is now; what was open before is closed. Fails the test if that cannot be done. */
struct tape *studio_tape(struct studio *studio);
/* What tape_open() returns, with studio->source. */
int studio_try(struct studio *studio);
/* The path of a file in the tape, or beside it; in one of 8 places taken in turn. */
const char *studio_segment(const struct studio *studio, unsigned number);
const char *studio_beside(const struct studio *studio, const char *name);
void studio_write(const char *path, const void *bytes, size_t len);
char *studio_read(const char *path, size_t *len);

struct take {
  struct studio *studio;
  struct tape_call call;
  struct idem_request request;
  struct idem_span headers[16];
  struct tape_chunk chunks[4];
  struct tape_outcome outcome;
};

/* A POST of `body` that got a 200 with {"answer":1} in two chunks; its place in the run is taken. */
struct take take_of(struct studio *studio, const char *body);
void take_header(struct take *take, const char *line);
/* Names it and appends it; fails the test if that cannot be done. */
void take_record(struct take *take);
/* Names it, and returns what tape_append() returned. */
int take_try(struct take *take);

#endif
