/* SPDX-License-Identifier: MIT */
/*
 * What every test of a spool has: a store, a call that sends and one that follows it, and a stream.
 *
 *     TestSuite(store_spool, .init = open_spool_fixture, .fini = close_spool_fixture);
 */
#ifndef TESTS_STORE_SPOOL_FIXTURE_H
#define TESTS_STORE_SPOOL_FIXTURE_H

#include "tests/unit/store/stream_fixture.h"

extern struct caller owner, follower;
extern struct idem_spool spool; /* the follower's */
extern struct stream stream;
extern const char body[]; /* of both */

void open_spool_fixture(void);
void close_spool_fixture(void);

/* OWNED the one, BUSY the other. */
void both_enter(void);

/* The follower's idem_store_look(). */
int look(void);

#endif
