/* SPDX-License-Identifier: MIT */
/*
 * outbox: answers that this machine has stored while its fleet was away, and that the others do not know of.
 *
 *     outbox_note(writer, key);                      // in the transaction that stores one
 *     rc = outbox_push(store, &limit, error);        // one of them: 1: one less, 0: there is none, or -errno
 *
 * A push is a claim and a commit like any other, and may be repeated. Where the fleet has another answer by
 * then, that one stays, and the one of this machine is dropped: the next call gets the fleet's. One that came
 * from here stays in both. Where another machine is at it just now, the push is left for later, and the next
 * one may be another answer's: each begins somewhere else. A word in the shared page tells whether something
 * may be waiting, so that a machine with nothing to push reads that alone; each process looks once whatever
 * it says.
 *
 * An entry is a key of the tree `meta`: "outbox " and the operation's key. It says that there is something to
 * tell, and the answer itself stays where it is: one that has expired, or was dropped, is forgotten when its
 * turn comes. Any thread of any process may push; a push holds no snapshot and no lock while it asks the
 * fleet.
 */
#ifndef IDEMSHIM_STORE_OUTBOX_H
#define IDEMSHIM_STORE_OUTBOX_H

#include "store/state/state.h"

/* 0 or -errno, as writer_put(). Whoever stores the answer tells the others, with outbox_tell(). */
int outbox_note(struct writer *writer, const uint8_t *key);
void outbox_tell(struct idem_store *store);

/* True if something may be waiting; and once for each process, for who died before it had told. */
bool outbox_may_have(struct idem_store *store);
/* As many as the limit lets, and a few at most: for a call, which has come for something else. */
void outbox_push_some(struct idem_store *store, idem_fleet_limit *limit);

/* -EBUSY: another machine is at that operation; -ENOTCONN: there is no fleet. Else what the fleet's functions
 * say (fleet/fleet.h), or the transaction that takes the entry away. `error` may be NULL. */
int outbox_push(struct idem_store *store, idem_fleet_limit *limit, struct idem_error *error);

#endif
