/* SPDX-License-Identifier: MIT */
/*
 * owner: what the owner of a claim lets be seen of itself, in a place of the shared page that no other claim
 * has.
 *
 *     struct owner *owner = owner_take(owners, key, upstream_key);   // with the claim; NULL: no room
 *     atomic_store(&owner->turns, 1);                                // at a turn of libcurl's loop
 *     owner_give(owners, owner, number, key);                        // before the claim is free
 *
 *     const struct owner *owner = owner_find(owners, key);           // who waits for it
 *
 * A claim tells that its owner lives, and not that it goes on: it may be stopped, or hang in a callback of
 * its app. So an owner counts what it does, once somebody waits for it, and whoever waits compares two looks
 * at the numbers (call/follow.c). No clock is shared.
 *
 * A place is found by the first bytes of its key, as a lock is (claim_lock.h), so that two claims with one
 * place would be one claim. The owner alone writes to its own, but for what waiters ask of it. A place whose
 * owner has died is given to the next of its bucket. All of it is atomic and takes no lock; a look at a place
 * that changes hands sees the number of another owner, and begins anew.
 */
#ifndef IDEMSHIM_STORE_OWNER_H
#define IDEMSHIM_STORE_OWNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct claims_file;

enum { OWNER_BUCKETS = 128, OWNER_PLACES = 32, OWNER_KEY = 36 };

struct owner {
  _Atomic uint32_t number;        /* grows with each claim that has had this place */
  _Atomic uint32_t pid;           /* who turns its loop: a copy of the process may have taken over */
  _Atomic uint32_t pid_namespace; /* 0: unknown */
  _Atomic uint32_t turns;         /* of libcurl's loop, and bytes that came. 0: its turns are not seen */
  _Atomic uint32_t inside;        /* odd: in a callback of its app */
  _Atomic uint32_t waited;        /* somebody waits for it, */
  _Atomic uint32_t wanted;        /* and for what has come until now */
  _Atomic char upstream_key[OWNER_KEY];
};

struct owners {
  struct owner_bucket {
    _Alignas(64) _Atomic uint64_t tag[OWNER_PLACES]; /* 0: the place is free */
    struct owner place[OWNER_PLACES];
  } bucket[OWNER_BUCKETS];
};

/* By who holds the claim on `key`. NULL: the bucket is full, perhaps of the dead (owner_sweep). */
struct owner *owner_take(struct owners *owners, const uint8_t *key, const char *upstream_key);
/* `number`: which it had when it was taken. */
void owner_give(struct owners *owners, struct owner *owner, uint32_t number, const uint8_t *key);

/* NULL: nobody has a place for that key. */
struct owner *owner_find(struct owners *owners, const uint8_t *key);

/* Frees the places in the bucket of `key` whose claims nobody has. */
void owner_sweep(struct owners *owners, const uint8_t *key, const struct claims_file *claims);

/* With its NUL. False: it is that of another owner by now. */
bool owner_read_key(const struct owner *owner, uint32_t number, char out[OWNER_KEY + 1]);

#endif
