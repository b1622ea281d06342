/* SPDX-License-Identifier: MIT */
/*
 * repeats: which of the identical calls of this process one is, for repeats=auto and sequence. A number is
 * taken when a call begins: the lowest that its content has free. It is used up by an answer that has reached
 * the app, and free again after anything else, so that a retry is the operation that it repeats.
 *
 *     struct repeats_number number = repeats_take(&store->repeats, base);    // number.is: 0, 1, 2, ...
 *     ...
 *     repeats_settle(number.of, number.is, answered, rule->ttl_ms);          // with `answered` it is used up
 *
 * A content is forgotten once none of its numbers was used up for as long as its answers live, and none is
 * taken.
 *
 * Any number of threads may call these. For a content that is known both are a few atomic operations: no
 * lock, no heap and no system call. A new one goes in under process_lock_lists, so that a child finds a whole
 * table; what other threads had taken when it was made stays taken there. A number above 63 that comes back
 * may allocate.
 */
#ifndef IDEMSHIM_STORE_REPEATS_H
#define IDEMSHIM_STORE_REPEATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct repeats_holes;

/* One content. It never moves, and its place is used again for another content when it is forgotten. */
struct repeat {
  _Atomic uint64_t name; /* the first 8 bytes of the base key; 0: unused */
  /* Repeats.c says how: which number comes next, how many are taken, which life it is. */
  _Atomic uint64_t state;
  _Atomic uint64_t holes;               /* which of the first 64 numbers have come back, */
  _Atomic(struct repeats_holes *) more; /* and which of the others */
  _Atomic int64_t until_us;             /* when it is forgotten; 0: no number was used up */
};

/* The table grows by parts, each twice as large as the one before, so that none ever moves. */
enum { REPEATS_PARTS = 32 };

struct repeats {
  _Atomic(struct repeat *) part[REPEATS_PARTS];
};

/* A number that is taken. */
struct repeats_number {
  struct repeat *of; /* NULL: there is no memory, or all four thousand million are taken */
  uint32_t is;
  bool again; /* the app has had an answer of this content before */
};

struct repeats_number repeats_take(struct repeats *repeats, const uint8_t *base);
/* Each number that was taken is settled once. Without memory to remember it in, one
 * that comes back is lost. */
void repeats_settle(struct repeat *of, uint32_t number, bool used_up, uint64_t ttl_ms);
void repeats_release(struct repeats *repeats);

#endif
