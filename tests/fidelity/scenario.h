/* SPDX-License-Identifier: MIT */
/*
 * scenario: one row for each thing that a replay must do as the live call did.
 *
 * The rows (scenarios.h) are shared by the program that performs them, tests/fidelity/main.c, and by the test
 * that runs it four times and compares what it prints, tests/e2e/replay/fidelity_suite.c. A row that says
 * nothing is replayed directly where that is free, and by transport where that is asked for. One that cannot
 * be names the way that it takes and why: docs/delivery.md is made from those rows.
 */
#ifndef FIDELITY_SCENARIO_H
#define FIDELITY_SCENARIO_H

#include <stdbool.h>

/* How the calls of a scenario are answered when it is run again. */
enum way {
  WAY_USUAL,          /* direct with IDEMSHIM_DELIVERY=auto, transport with =transport */
  WAY_TRANSPORT,      /* transport with both */
  WAY_MIXED,          /* some as usual, and some by transport with both */
  WAY_LIVE,           /* every call goes out again */
  WAY_SOME_LIVE,      /* as usual, but for calls that go out again */
  WAY_SOME_TRANSPORT, /* by transport with both, but for calls that go out again */
  WAY_NONE,           /* the call fails before it is sent, or while it is */
};

struct scenario {
  const char *name;
  long number;      /* for a function that several rows share */
  const char *rule; /* fields of the rule besides the usual ones; NULL: none */
  enum way way;
  enum way before; /* the way with a libcurl older than `since`: 0x080500 is 8.5.0 */
  unsigned since;
  const char *option; /* what the way hangs on: an option, or the interface */
  const char *why;    /* for people: a row with a way other than the usual one has a reason */
  bool marked;        /* replays carry the marks */
  bool keyed;         /* live calls carry the key for upstream */
  bool settled;       /* the call is made before, without what makes it fail: there is an answer */
};

#endif
