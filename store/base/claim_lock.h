/* SPDX-License-Identifier: MIT */
/*
 * claim_lock: the right to send one operation upstream, as a lock that dies with its owner. Its durable half,
 * which tells whether the operation was sent, is records/claim_record.h.
 *
 * One byte of the `claims` file, at an offset that follows from the key, under an open file description lock.
 * Each claim has a descriptor of its own, so that two threads conflict just as two processes do. The kernel
 * frees it when the owner ends, however it ends. A child made by fork() drops the claims that it inherits.
 *
 *     int fd = claim_lock_take(store->claims_path, key);
 *     if (fd == -EAGAIN)
 *       somebody else is sending it;
 *     ...
 *     claim_lock_release(fd, key);
 *
 * Every claim of the process is in one list under process_lock_lists, which these functions take themselves
 * unless they say otherwise. A descriptor that the app has closed behind our back is never closed again: the
 * list knows which file it was.
 */
#ifndef IDEMSHIM_STORE_CLAIM_LOCK_H
#define IDEMSHIM_STORE_CLAIM_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* A descriptor that holds the claim on `key`, -EAGAIN if somebody else has it, or -errno. */
int claim_lock_take(const char *path, const uint8_t *key);

/* True while this process holds the claim behind `fd`: false in a child, and after claim_lock_release(). */
bool claim_lock_held(int fd);

/* Frees the claim for everybody, also for a child that has a copy of the descriptor. Without `key` it
 * gives the claim away: the lock stays with whoever else has a copy. -1 and foreign numbers are ignored. */
void claim_lock_release(int fd, const uint8_t *key);

/* Is `key` claimed by anybody? `fd` is any descriptor of the claims file that holds no lock. 1, 0 or -errno.
 */
int claim_lock_taken(int fd, const uint8_t *key);

/* In a copy of the process, with process_lock_lists held: closes every claim but the two. */
void claim_lock_keep_only(int fd, int other);

#endif
