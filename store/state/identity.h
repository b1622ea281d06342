/* SPDX-License-Identifier: MIT */
/* identity: what a store has been since it was made: its version, its secret, and whether it is encrypted. */
#ifndef IDEMSHIM_STORE_IDENTITY_H
#define IDEMSHIM_STORE_IDENTITY_H

#include "store/state/state.h"

/* Reads it into `store`, or makes it; a new store is encrypted if there is a key file. -EKEYREJECTED: the key
 * is not the store's. */
int identity_learn(struct idem_store *store, struct engine *engine, const char *key_file,
                   struct idem_error *error);

#endif
