/* SPDX-License-Identifier: MIT */
/*
 * store_object: libidemshim-store.so, loaded from beside this object, or from idemshim/ there, when the first
 * call comes that a rule wants, and the store and the tape that it opens.
 *
 *     struct idem_store *store;
 *     const struct idem_store_api *api = store_object_open(&store);
 *     if (!api)
 *       ...the reason has been said, and the call goes live...
 *
 * LMDB, OpenSSL and jansson come with that object, so a program that makes no call of ours never has them. A
 * store that could not be opened is tried again after ten seconds; a tape is opened once. Any thread may come
 * here. Opening is done under a lock, which is held while the store takes its own.
 */
#ifndef IDEMSHIM_SHIM_STORE_OBJECT_H
#define IDEMSHIM_SHIM_STORE_OBJECT_H

#include "store/store.h"

struct idem_tape_api;
struct tape_writer;
struct tape;
struct tape_matcher;
struct tape_met;

/* The store's functions and the store; NULL with the reason said. */
const struct idem_store_api *store_object_open(struct idem_store **store);

/* `*store` is not in its place any more, as its enter() has said (-ESTALE): opens what is there now, once for
 * all threads, and says so. Calls that are under way in the old one end there. False: there is none, and why
 * has been said, or was a moment ago. */
bool store_object_renew(struct idem_store **store);

/* The same if it is open, and else NULL: nothing is opened for it. */
const struct idem_store_api *store_object_peek(struct idem_store **store);

/* Few descriptors are left to libcurl, for a call that goes out without the store: it
 * gets those of the store. */
void store_object_give_back(void);

/* With IDEMSHIM_OPEN=early, opens what calls of this mode will need. For the hooks that make the first
 * handle; does nothing from the second time on. */
void store_object_open_early(void);

/* The tape that is written, or NULL: there is none, or the reason has been said. */
const struct idem_tape_api *store_object_tape_writer(struct tape_writer **writer);

/* The tape that is replayed, or NULL with the reason in `error`. */
const struct idem_tape_api *store_object_tape_reader(struct tape **tape, struct tape_matcher **matcher,
                                                     struct idem_error *error);

/* What that tape meets, to be released by the functions that come back; NULL: it cannot be read. */
const struct idem_tape_api *store_object_tape_meets(struct tape_met *met);

/* For rescue/fork.c, around a fork: nothing is loaded meanwhile, for a child would find the object half
 * linked; what is not loaded has no locks. */
void store_object_lock(void);
void store_object_unlock(void);

/* Then the store's own locks, while object_lock is held. */
void store_object_lock_store(void);
void store_object_unlock_store(void);
void store_object_unlock_store_in_child(void);

/* In a child. */
void store_object_after_fork(void);

#endif
