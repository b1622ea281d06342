/* SPDX-License-Identifier: MIT */
/* room: keeping the store under its size. What has expired goes first, then the oldest. */
#ifndef IDEMSHIM_STORE_ROOM_H
#define IDEMSHIM_STORE_ROOM_H

#include "store/state/state.h"

/* Makes room for `need` bytes; 0, -EFBIG if the answer is too large for this store, -ENOSPC if there is
 * nothing left to drop. */
int evict_for(struct idem_store *store, struct engine *engine, uint64_t need, struct idem_error *error);

/* Drops up to `most` expired answers and a few old claims, as part of a commit. */
int evict_some(struct idem_store *store, struct writer *writer, unsigned most);

struct evicted {
  uint64_t answers, bytes, claims;
};

/* Drops up to a batch of what has expired. Returns how many were dropped, or -errno. */
int evict_expired(struct idem_store *store, struct engine *engine, struct evicted *swept,
                  struct idem_error *error);

/* Drops the claims of the dead: released, or in doubt for longer than `age_us`, that nobody holds. */
int evict_claims(struct idem_store *store, struct engine *engine, int64_t age_us, struct evicted *swept,
                 struct idem_error *error);

/* Drops what observe mode has noted and what has run out. */
int evict_seen(struct engine *engine, struct evicted *swept, struct idem_error *error);

#endif
