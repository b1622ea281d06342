/* SPDX-License-Identifier: MIT */
/*
 * fleet_store: where a machine of a fleet keeps what it knows of it, and how it reaches it.
 *
 *     struct fleet_store found;
 *     if ((rc = fleet_store_find(&found, options, error)) == 0 && found.known)
 *       ...open the store at found.dir, whose secret is found.secret...
 *     fleet_store_connect(store, &found);                        // store->fleet, NULL: the machine works alone
 *
 * A fleet has an identity, a line of text that the first machine puts there: all machines name calls with the same secret then.
 * It is the secret itself, or with a key file the salt by which the key file gives it, so that whoever reads the server learns
 * no names. A machine keeps it in DIR/fleet/PLACE.identity, where PLACE is a digest of where the fleet is, and all else in
 * DIR/fleet/ID, a store of its own: what was stored without the fleet is not touched, and a later start asks nobody.
 */
#ifndef IDEMSHIM_STORE_FLEET_STORE_H
#define IDEMSHIM_STORE_FLEET_STORE_H

#include "fleet/fleet.h"
#include "store/base/seal.h"

#include <limits.h>

enum { FLEET_SECRET = 32, FLEET_SALT = 16 };

struct fleet_store {
  bool known; /* false: it could not be asked who it is, and the line in `error` says why */
  char text[IDEM_FLEET_IDENTITY], dir[PATH_MAX];
  uint8_t secret[FLEET_SECRET], salt[FLEET_SALT];
};

/* 0 or -errno: -EKEYREJECTED if the fleet has another key than that of the key file, or none. */
int fleet_store_find(struct fleet_store *out, const struct idem_store_options *options,
                     struct idem_error *error);

/* How long a claim is remembered whose answer has so long to live; a nonce where there is none yet, 0 or -errno. */
uint64_t fleet_store_keep_ms(uint64_t ttl_ms);
int fleet_store_nonce(char owner[IDEM_FLEET_OWNER + 1]);

/* NULL: it cannot be opened. */
const struct idem_fleet_api *fleet_store_connect(const struct fleet_store *found,
                                                 const struct idem_fleet *where,
                                                 struct idem_fleet_shared *shared,
                                                 struct idem_fleet_client **client);

#endif
