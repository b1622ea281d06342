/* SPDX-License-Identifier: MIT */
/*
 * claim_lock: the right to send one operation upstream, as a lock that dies with its owner. Its durable half,
 * which tells whether the operation was sent, is records/claim_record.h.
 *
 * One byte of the `claims` file, at an offset that follows from the key, under an open file description lock.
 * Each claim has a descriptor of its own, so that two threads conflict just as two processes do. The kernel
 * frees it when the owner ends, however it ends. A child made by fork() drops the claims that it inherits.
 *
 *     int claim = claim_lock_take(&store->claims_file, key);
 *     if (claim == -EAGAIN)
 *       somebody else is sending it;
 *     ...
 *     claim_lock_release(claim, key);
 *
 * A claim is a place in the table of base/fd.h. The lock of one whose descriptor the app has closed is free
 * for everybody; it is taken anew when its owner asks for it, if nobody else has it by then.
 *
 * The file is opened by its name for each claim, and another one may have the name by then, where the store
 * was replaced. A lock on that would be a claim of another store, so it is none.
 */
#ifndef IDEMSHIM_STORE_CLAIM_LOCK_H
#define IDEMSHIM_STORE_CLAIM_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The claims file of a store: its name, and which file had it when the store was opened. */
struct claims_file {
  char *path;
  ino_t inode;
  dev_t device;
};

/* True if the name is still that file's, which `fd` was opened by it just now. */
bool claim_file_is(const struct claims_file *file, int fd);

/* The claim on `key`, -EAGAIN if somebody else has it, -ESTALE if the file is another
 * one by now, or -errno. */
int claim_lock_take(const struct claims_file *file, const uint8_t *key);

/* True while this process holds the claim on `key`, which may be another place afterwards: false in a child,
 * and after claim_lock_release(). */
bool claim_lock_held(const struct claims_file *file, const uint8_t *key, int *claim);

/* Frees the claim for everybody, also for a child that has a copy of the descriptor. Without `key` it
 * gives the claim away: the lock stays with whoever else has a copy. What is no claim is ignored. */
void claim_lock_release(int claim, const uint8_t *key);

/* Is `key` claimed by anybody? `fd` is any descriptor of the claims file that holds no lock. 1, 0 or -errno.
 */
int claim_lock_taken(int fd, const uint8_t *key);

#endif
