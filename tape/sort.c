/* SPDX-License-Identifier: MIT */
/* The order of a run. Calls of one process have the order in which it began them, whatever the clock did;
 * processes are brought together by the clock. */
#include "tape/reader.h"

#include <errno.h>

/* -1, 0 or 1; a difference could overflow. */
static int compare(int64_t a, int64_t b)
{
  return (a > b) - (a < b);
}

/* A process is its pid and when it began: pids come again. */
static int by_process(const void *a, const void *b)
{
  const struct tape_entry *x = a, *y = b;
  int order = compare(x->process_us, y->process_us);
  if (order == 0)
    order = compare(x->pid, y->pid);
  if (order == 0)
    order = (x->sequence > y->sequence) - (x->sequence < y->sequence);
  /* What a copy of the process finished has the place of the call that was given up, and comes behind it. */
  return order ? order : x->what - y->what;
}

/* By time, and within a process by its own order. */
static int by_order(const void *a, const void *b)
{
  const struct tape_entry *x = a, *y = b;
  int order = compare(x->order_us, y->order_us);
  return order ? order : by_process(a, b);
}

/* As by_process() tells them apart. */
static bool same_process(const struct tape_entry *a, const struct tape_entry *b)
{
  return a->process_us == b->process_us && a->pid == b->pid;
}

/* Sorts twice: within processes first, for only then is it known where a clock went back. */
int tape_sort(struct tape *tape)
{
  struct tape_entry *entry = tape->entries;
  uint32_t process = 0;
  if (!tape->count)
    return 0;
  qsort(entry, tape->count, sizeof(*entry), by_process);
  for (size_t i = 0; i < tape->count; i++) {
    bool first = i == 0 || !same_process(&entry[i], &entry[i - 1]);
    entry[i].process = first ? ++process : process;
    /* A clock that was set back must not put a later call before an earlier one. */
    bool back = !first && entry[i].started_us < entry[i - 1].order_us;
    entry[i].order_us = back ? entry[i - 1].order_us : entry[i].started_us;
  }
  qsort(entry, tape->count, sizeof(*entry), by_order);
  return 0;
}
