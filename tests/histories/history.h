/* SPDX-License-Identifier: MIT */
/*
 * What some processes did with a store, as a list of events in the order in which they were noted: that
 * before a step is noted before it, and that behind it afterwards, so that what stands later began later.
 * Whoever checks it knows nothing of the store.
 *
 *     note(history, (struct event){.kind = INVOKED, .process = 3, .call = 7, .key = 1});
 *     const char *wrong = history_check(history);     // NULL: no promise is broken
 */
#ifndef TESTS_HISTORY_H
#define TESTS_HISTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum kind {
  INVOKED,    /* a call begins */
  SENT,       /* it goes out: `value` is what upstream will say, `upstream` the key that goes with it */
  FAILED,     /* upstream has said that it failed */
  COMMITTING, /* what upstream has said is stored now */
  STORED,     /* the store has said that it is */
  LEAVING,    /* the call lets its claim go */
  GIVEN,      /* the call has ended with `value` from the store */
  REFUSED,    /* it has ended as one that may not be sent a second time */
  STUCK,      /* it does not end */
  KILLING,    /* the process is about to be killed */
  REMOVING,   /* the answer of the key is about to be removed */
  REMOVED,
  FOUND, /* when all is over: what the store has; 0: nothing */
};

struct event {
  enum kind kind;
  int process, call, key;
  int value;
  int64_t at_us;     /* CLOCK_REALTIME, as expiry goes */
  uint64_t upstream; /* SENT */
  bool resent;       /* SENT: it is said to have been sent before */
};

enum { EVENTS_MOST = 1024, KEYS = 2 };

struct history {
  int64_t ttl_us;    /* 0: answers do not expire */
  bool at_most_once; /* indoubt=fail */
  _Atomic int count;
  struct event event[EVENTS_MOST];
};

static inline void note(struct history *history, struct event event)
{
  int at = atomic_fetch_add(&history->count, 1);
  if (at < EVENTS_MOST)
    history->event[at] = event;
}

/* The first promise that is broken, in words with the numbers of the events; NULL: none. */
const char *history_check(const struct history *history);

void history_print(const struct history *history);

#endif
