/* SPDX-License-Identifier: MIT */
/*
 * What every test of a spool has: a store, a call that sends and one that follows it, and a stream.
 *
 *     TestSuite(store_spool, .init = open_pair, .fini = close_pair);
 */
#ifndef IDEMSHIM_TESTS_STORE_PAIR_H
#define IDEMSHIM_TESTS_STORE_PAIR_H

#include "tests/unit/store/stream_fixture.h"

extern struct shop shop;
extern struct order owner, follower;
extern struct idem_spool spool; /* the follower's */
extern struct reel reel;
extern const char body[]; /* of both */

void open_pair(void);
void close_pair(void);

/* OWNED the one, BUSY the other. */
void both_enter(void);

/* The follower's idem_store_look(). */
int look(void);

#endif
