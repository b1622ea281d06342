/* SPDX-License-Identifier: MIT */
/*
 * outbox: answers that this machine has stored while its fleet was away, and that the others do not know of.
 *
 *     outbox_note(writer, key);                       // in the transaction that stores one
 *     rc = outbox_push(store, &limit, error);         // the first of them: 1: one less, 0: there is none, or -errno
 *
 * A push is a claim and a commit like any other, and may be repeated. Where the fleet has another answer by then, that one stays,
 * and the one of this machine is dropped: the next call gets the fleet's. One that came from here stays in both. Where another machine is at it just now, the push is
 * left for later. What waits is counted in the shared page, so that a machine with nothing to push reads one word.
 *
 * An entry is a key of the tree `meta`: "outbox " and the operation's key. It says that there is something to
 * tell, and the answer itself stays where it is: one that has expired, or was dropped, is forgotten when its
 * turn comes. Any thread of any process may push; a push holds no snapshot and no lock while it asks the
 * fleet.
 */
#ifndef IDEMSHIM_STORE_OUTBOX_H
#define IDEMSHIM_STORE_OUTBOX_H

#include "store/state/state.h"

/* 0 or -errno, as writer_put(). Whoever stores the answer counts it (call/commit.c). */
int outbox_note(struct writer *writer, const uint8_t *key);

/* True if something may be waiting. The count may be off by what processes that died had not counted. */
bool outbox_may_have(const struct idem_store *store);

/* -EBUSY: another machine is at that operation; -ENOTCONN: there is no fleet. Else what the fleet's functions
 * say (fleet/fleet.h), or the transaction that takes the entry away. `error` may be NULL. */
int outbox_push(struct idem_store *store, idem_fleet_limit *limit, struct idem_error *error);

#endif
