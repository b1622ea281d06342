/* SPDX-License-Identifier: MIT */
/*
 * repeats: how often this process has made the same call, for repeats=sequence. A number is taken when a call
 * begins and given back if the app did not get its answer; the lowest given back goes first.
 *
 *     repeats_take(&store->repeats, base, &number);          // 0 for the first, 1 for the second, ...
 *     if (the app did not get it)
 *       repeats_give_back(&store->repeats, base, number);
 *
 * Any number of threads may call these; a hit without repeats=sequence never does. All are under
 * process_lock_lists, so that a child goes on counting from a whole table.
 */
#ifndef IDEMSHIM_STORE_REPEATS_H
#define IDEMSHIM_STORE_REPEATS_H

#include <stddef.h>
#include <stdint.h>

/* A table with open addressing, and the free numbers of all its rows in one list: there are few. */
struct repeats {
  struct repeat {
    uint64_t name; /* the first 8 bytes of the base key; 0: unused */
    uint32_t next;
    uint32_t holes; /* how many numbers below `next` are free */
  } * slot;
  size_t count, room; /* room is a power of two */
  struct hole {
    uint64_t name;
    uint32_t number;
  } * hole;
  size_t hole_count, hole_room;
};

/* 0 or -ENOMEM. */
int repeats_take(struct repeats *repeats, const uint8_t *base, uint32_t *number);
/* Without memory to remember it in, the number is lost and the next call takes a later one. */
void repeats_give_back(struct repeats *repeats, const uint8_t *base, uint32_t number);
void repeats_release(struct repeats *repeats);

#endif
