/* SPDX-License-Identifier: MIT */
/*
 * evict: keeping the store under its size. What has expired goes first, then the oldest.
 *
 *     rc = evict_for(store, need, error);                          // before a commit of so many bytes
 *     while ((rc = evict_batch(store, EVICT_EXPIRED, 0, &gone, error)) > 0)
 *       show_progress(gone.answers);
 *
 * What is dropped is dropped in batches, a transaction each, so that no other writer waits long.
 */
#ifndef IDEMSHIM_STORE_EVICT_H
#define IDEMSHIM_STORE_EVICT_H

#include "store/state/state.h"

/* In the order in which they make room. */
enum evict_kind {
  EVICT_EXPIRED,    /* answers past their time */
  EVICT_OLDEST,     /* answers, the oldest first */
  EVICT_CLAIMS,     /* claims of the dead: released, or in doubt, and held by nobody; */
  EVICT_OLD_CLAIMS, /* those of 0.1 */
  EVICT_SEEN,       /* what observe mode has noted and what has run out */
  EVICT_KINDS
};

struct evicted {
  uint64_t answers, bytes, claims;
};

/* Drops up to a batch of what is older than `age_us`; adds it to `gone`. Returns how many, or -errno. */
int evict_batch(struct idem_store *store, enum evict_kind kind, int64_t age_us, struct evicted *gone,
                struct idem_error *error);

/* Makes room for `need` bytes; 0, -EFBIG if the answer is too large for this store, -ENOSPC if there is
 * nothing left to drop. */
int evict_for(struct idem_store *store, uint64_t need, struct idem_error *error);

/* Drops up to `most` expired answers and a few old claims, as part of a commit. 0 or -errno. */
int evict_some(struct idem_store *store, struct writer *writer, unsigned most);

#endif
