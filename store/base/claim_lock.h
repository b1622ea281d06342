/* SPDX-License-Identifier: MIT */
/*
 * claim: the right to send one operation upstream, as a lock that dies with its owner.
 *
 * One byte of the `claims` file, at an offset that follows from the key, under an open file description lock.
 * Each claim has a descriptor of its own, so that two threads conflict just as two processes do. The kernel
 * frees it when the owner ends, however it ends. A child made by fork() drops the claims that it inherits.
 */
#ifndef IDEMSHIM_STORE_CLAIM_H
#define IDEMSHIM_STORE_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

/* A descriptor that holds the claim on `key`, -EAGAIN if somebody else has it, or -errno. */
int claim_take(const char *path, const uint8_t *key);

/* True while this process holds the claim behind `fd`: false in a child, and after claim_release(). */
bool claim_held(int fd);

/* Frees the claim for everybody, also for a child that has a copy of the descriptor. -1 and foreign numbers
 * are ignored. */
void claim_release(int fd, const uint8_t *key);

/* Gives the claim away: closes the descriptor and leaves the lock with whoever else has a copy of it. */
void claim_hand_over(int fd);

/* In a copy of the process, with life_lists held: closes every claim but the two. */
void claim_keep_only(int fd, int other);

/* Is `key` claimed by anybody? `fd` is any descriptor of the claims file that holds no lock. 1, 0 or -errno.
 */
int claim_taken(int fd, const uint8_t *key);

/* For the fork handler, with life_lists held: closes what the child has inherited. */
void claim_abandon_all(void);

#endif
