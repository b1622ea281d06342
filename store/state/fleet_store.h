/* SPDX-License-Identifier: MIT */
/*
 * fleet_store: where a machine of a fleet keeps what it knows of it, and how it reaches it.
 *
 *     struct fleet_store found;
 *     if ((rc = fleet_store_find(&found, options, error)) == 0 && found.known)
 *       ...open the store at found.dir, whose secret is found.secret...
 *     api = fleet_store_connect(&found, options->fleet, &stats->fleet, &client);  // NULL: the machine works alone
 *
 * A fleet has an identity, a line of text that the first machine puts there: all machines name calls with the
 * same secret then. It is the secret itself, or with a key file the salt by which the key file gives it, so
 * that whoever reads the server learns no names. A machine keeps it in DIR/fleet/PLACE.identity, where PLACE
 * is a digest of where the fleet is, and all else in DIR/fleet/ID, a store of its own: what was stored
 * without the fleet is not touched, and a later start asks nobody.
 *
 * To find and to connect are done with process_lock_stores held, when a store is opened; the first start of a
 * machine then waits for the fleet, at most its call-timeout. A fleet that is away is no failure: the store
 * of this machine alone is opened, and for ten seconds no other process of it waits again.
 */
#ifndef IDEMSHIM_STORE_FLEET_STORE_H
#define IDEMSHIM_STORE_FLEET_STORE_H

#include "fleet/fleet.h"
#include "store/base/seal.h"

#include <limits.h>

/* Bytes. The secret is as long as a store's own (STORE_SECRET in state.h), whose place it takes. */
enum { FLEET_SECRET = 32, FLEET_SALT = 16 };

/* What is found. It lies on the stack of who opens a store, and has a secret in it. */
struct fleet_store {
  bool known; /* false: it could not be asked who it is, and the line in `error` says why */
  /* The identity, and the directory of the store for it, which need not be there yet. */
  char text[IDEM_FLEET_IDENTITY], dir[PATH_MAX];
  uint8_t secret[FLEET_SECRET], salt[FLEET_SALT]; /* the salt is zeros without a key file */
};

/* 0 or -errno: -EKEYREJECTED if the fleet has another key than that of the key file, or none. */
int fleet_store_find(struct fleet_store *out, const struct idem_store_options *options,
                     struct idem_error *error);

/* How long a claim is remembered whose answer has so long to live. */
uint64_t fleet_store_keep_ms(uint64_t ttl_ms);
/* Makes a nonce of hexadecimal digits where there is none yet: one that was made is that of every later try.
 * 0 or -EIO. */
int fleet_store_nonce(char owner[IDEM_FLEET_OWNER + 1]);

/* How a fleet is reached and set up, of which nothing need be known here. 1: something is bad. */
int fleet_store_check(const struct idem_fleet *where, idem_fleet_tell *tell, void *arg,
                      struct idem_error *error);

/* Makes `*client`, which the caller closes by what is returned, and which keeps pointers to `where` and
 * `shared`. NULL: the fleet's object cannot be loaded, or the client cannot be made. Nothing is sent yet. */
const struct idem_fleet_api *fleet_store_connect(const struct fleet_store *found,
                                                 const struct idem_fleet *where,
                                                 struct idem_fleet_shared *shared,
                                                 struct idem_fleet_client **client);

#endif
