/* SPDX-License-Identifier: MIT */
/*
 * outbox: answers that this machine has stored while its fleet was away, and that the others do not know of.
 *
 *     outbox_note(writer, key);                       // in the transaction that stores one
 *     rc = outbox_push(store, &limit, error);         // the first of them: 1: one less, 0: there is none, or -errno
 *
 * A push is a claim and a commit like any other, and may be repeated. Where the fleet has another answer by then, that one stays,
 * and the copy of this machine is dropped: the next call gets the fleet's. Where another machine is at it just now, the push is
 * left for later. What waits is counted in the shared page, so that a machine with nothing to push reads one word.
 */
#ifndef IDEMSHIM_STORE_OUTBOX_H
#define IDEMSHIM_STORE_OUTBOX_H

#include "store/state/state.h"

int outbox_note(struct writer *writer, const uint8_t *key);

/* True if something may be waiting. */
bool outbox_may_have(const struct idem_store *store);

/* -EBUSY: another machine is at that operation. */
int outbox_push(struct idem_store *store, idem_fleet_limit *limit, struct idem_error *error);

#endif
