/* SPDX-License-Identifier: MIT */
/* Where in a run a call stands: which process, which thread, which call of it. Each is one word that has the
 * number of this life in it, so that a child after fork() begins anew without a lock. */
#include "store/base/clock.h"
#include "store/base/process.h"
#include "tape/writer.h"

/* The other 44 bits hold a number of calls or of lanes, or milliseconds since 1970 up to the year 2527. */
enum { LIFE_BITS = 20 };
#define LIFE_MASK (((uint64_t)1 << LIFE_BITS) - 1)

/* What the word counts to in this life, starting with `first`; adds `step`. */
static uint64_t count(_Atomic uint64_t *word, uint64_t first, uint64_t step)
{
  uint64_t life = process_generation() & LIFE_MASK, old = atomic_load(word), next;
  do
    next = (old & LIFE_MASK) == life ? old + (step << LIFE_BITS) : first << LIFE_BITS | life;
  while (!atomic_compare_exchange_weak(word, &old, next));
  return next >> LIFE_BITS;
}

/* By order of appearance in this process, from 1 on. */
uint32_t tape_lane(void)
{
  static _Atomic uint64_t lanes;
  static _Thread_local uint32_t lane, life;
  uint32_t now = process_generation();
  if (life != now) {
    lane = (uint32_t)count(&lanes, 1, 1);
    life = now;
  }
  return lane;
}

struct tape_call tape_begin(struct tape_writer *writer)
{
  int64_t now_us = clock_read_us(CLOCK_REALTIME);
  uint64_t since_ms = count(&writer->process, (uint64_t)now_us / 1000, 0);
  return (struct tape_call){
      .sequence = count(&writer->sequence, 1, 1),
      .process_us = (int64_t)since_ms * 1000,
      .pid = (uint32_t)process_pid(),
      .lane = tape_lane(),
      .started_us = now_us,
  };
}
