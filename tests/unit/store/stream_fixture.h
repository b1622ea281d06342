/* SPDX-License-Identifier: MIT */
/*
 * A stream to spool, and what a follower must have read of it.
 *
 *     struct order owner = order_of(&shop, body), follower = order_of(&shop, body);
 *     cr_assert_eq(order_enter(&owner), IDEM_OWNED);
 *     cr_assert_eq(order_enter(&follower), IDEM_BUSY);
 *     reel_add(&owner, &reel, 0, 3);
 *     cr_assert_eq(idem_store_look(shop.store, &follower.call, &spool), 1);
 *     reel_expect(&reel, 3, &spool);
 */
#ifndef IDEMSHIM_TESTS_STORE_REEL_H
#define IDEMSHIM_TESTS_STORE_REEL_H

#include "tests/unit/store/fixture.h"

enum { REEL_PIECES = 6 };

struct reel {
  struct idem_spool_piece piece[REEL_PIECES]; /* a HEAD, chunks, one of them empty, and an END */
};

/* No text of the one is in the other. `id` is one letter. */
struct reel reel_of(char id, int code);

/* Fails the test unless they are added. */
void reel_add(struct order *owner, const struct reel *reel, size_t from, size_t count);

/* True if a follower has read the first `count` pieces, byte for byte, and nothing else. */
bool reel_is(const struct reel *reel, size_t count, const struct idem_spool *spool);
void reel_expect(const struct reel *reel, size_t count, const struct idem_spool *spool);

/* The only file among the spools; NULL: there is none. Fails the test if there are more. */
const char *reel_file(const struct shop *shop);

#endif
