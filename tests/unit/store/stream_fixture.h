/* SPDX-License-Identifier: MIT */
/*
 * A stream to spool, and what a follower must have read of it.
 *
 *     struct caller owner = caller_of(&fixture, body), follower = caller_of(&fixture, body);
 *     cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
 *     cr_assert_eq(caller_enter(&follower), IDEM_BUSY);
 *     stream_add(&owner, &stream, 0, 3);
 *     cr_assert_eq(idem_store_look(fixture.store, &follower.call, &spool), 1);
 *     stream_expect(&stream, 3, &spool);
 */
#ifndef TESTS_STORE_STREAM_FIXTURE_H
#define TESTS_STORE_STREAM_FIXTURE_H

#include "tests/unit/store/fixture.h"

enum { STREAM_PIECES = 6 };

struct stream {
  struct idem_spool_piece piece[STREAM_PIECES]; /* a HEAD, chunks, one of them empty, and an END */
};

/* No text of the one is in the other. `id` is one letter. */
struct stream stream_of(char id, int code);

/* Fails the test unless they are added. */
void stream_add(struct caller *owner, const struct stream *stream, size_t from, size_t count);

/* True if a follower has read the first `count` pieces, byte for byte, and nothing else. */
bool stream_is(const struct stream *stream, size_t count, const struct idem_spool *spool);
void stream_expect(const struct stream *stream, size_t count, const struct idem_spool *spool);

/* The only file among the spools; NULL: there is none. Fails the test if there are more. */
const char *spool_file(const struct fixture *self);

#endif
