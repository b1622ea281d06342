/* SPDX-License-Identifier: MIT */
/*
 * A store in a directory of its own, and a call to make: what every test of the store begins with.
 *
 *     TestSuite(store_x, .init = open_fixture, .fini = close_fixture);
 *
 *     struct caller caller = caller_of(&fixture, "{\"prompt\":1}");
 *     cr_assert_eq(caller_ask(&caller, "{\"answer\":1}"), IDEM_OWNED);  // enter, commit, leave
 *     cr_assert_eq(caller_ask(&caller, "{\"answer\":2}"), IDEM_HIT);
 *     cr_assert_str_eq(caller.body, "{\"answer\":1}");
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "store/store.h"

#define SPAN(text) ((struct idem_span){text, strlen(text)})

struct fixture {
  char dir[128];
  struct idem_store *store;
  struct idem_config config;
  struct idem_store_options options;
};

/* The one of the test that runs, and how a suite opens and closes it. Each test is a process. */
extern struct fixture fixture;

/* True: zlib, brotli and zstd cannot be opened (decode.c). */
extern bool fixture_has_no_libraries;
void open_fixture(void);
void close_fixture(void);

/* Makes a directory and opens a store of 64 MiB in it, for the rule `host=* FIELDS`. */
void fixture_open(struct fixture *self, const char *fields);
/* Another rule for the calls from now on. */
void fixture_rule(struct fixture *self, const char *fields);
/* Closes and opens the store again; returns what idem_store_open returned. */
int fixture_reopen(struct fixture *self, struct idem_error *error);
/* Closes the store, removes the directory. */
void fixture_close(struct fixture *self);
const char *fixture_path(const struct fixture *self, const char *file);
uint64_t fixture_counter(const struct fixture *self, enum idem_counter counter);

struct caller {
  struct fixture *fixture;
  struct idem_request request;
  struct idem_span headers[16];
  struct idem_call call;
  struct idem_error error;
  char body[256]; /* of the answer that the last caller_ask() got */
};

/* A POST of `body` with a content type and a credential. */
struct caller caller_of(struct fixture *self, const char *body);
void caller_header(struct caller *caller, const char *line);
/* The headers from the start again. */
void caller_bare(struct caller *caller);

/* One round. The verdict; a negative one fails the test. */
int caller_enter(struct caller *caller);
void caller_leave(struct caller *caller, bool delivered);
/* Commits a JSON answer; returns what idem_store_commit returned. */
int caller_commit(struct caller *caller, const char *answer);
/* A whole call as a new one: enters, waits while BUSY, commits `answer` if OWNED, leaves. Returns the last
 * verdict. */
int caller_ask(struct caller *caller, const char *answer);
/* The id that the call would have, in one of 32 places taken in turn; makes no claim that stays. */
const char *caller_key(struct caller *caller);

/* An answer of 200 with this content type and body, in one chunk. */
struct idem_recording recording_of(struct idem_chunk *chunk, const char *headers, const char *body);
#define JSON_HEADERS "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

#endif
