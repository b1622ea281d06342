/* SPDX-License-Identifier: MIT */
/*
 * schedules --steps SEED
 * schedules URL TAG SALT        with the steps on standard input
 *
 * A program that does to libcurl what programs do to it, all at once: threads, forks, signals, exceptions,
 * jumps, cancellations, descriptors that are closed, handles that are reset, copied, cleaned up and removed
 * in the middle, multis, calls inside callbacks, and every way to end. The steps of a seed are text, one a
 * line, so that a driver can leave lines out. What happens must be decided by the steps alone: wherever a
 * call is acted upon, the mock holds the rest of its answer (gate=) until that is done.
 *
 *     LANE OPERATION ARGUMENT CALL...          CALL is HANDLE:KIND:NUMBER:ACT:POINT
 *     0 easy - 1:stream:12:jump:write          performs it; its write callback jumps out
 *     1 multi epoll.drop 0:held:13:none:- 2:whole:3:pause:write
 *     0 end quick
 *
 * A lane is a thread with handles of its own, 0 to 3, and a multi. Calls of one number are the same call: its
 * body has TAG and the number, and what is held or given up on purpose also SALT, so that two runs with one
 * TAG and two SALTs meet each other's answers only where a replay is to be seen. Each line of the output
 * begins with the lane and the handle; of these two together the order is the order of things.
 */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

enum { LANES = 3, HANDLES = 4, CALLS_MOST = 3, STEPS_MOST = 64 };

/* What the mock answers with: name, script of tests/mock/script.h, gated, salted. */
#define KINDS(X)                                                                                             \
  X(whole, "", false, false)                                                                                 \
  X(stream, "", true, false)                                                                                 \
  X(close, "length=close", true, false)                                                                      \
  X(big, "size=100000", false, false)                                                                        \
  X(fail, "status=500", false, false)                                                                        \
  X(busy, "status=429", false, false)                                                                        \
  X(cut, "truncate=2", false, false)                                                                         \
  X(broken, "reset=body", false, false)                                                                      \
  X(refused, "reset=headers", false, false)                                                                  \
  X(hinted, "informational=1", false, false)                                                                 \
  X(moved, "redirect=/v1/chat/completions?there=1", false, false)                                            \
  X(held, "", true, true)                                                                                    \
  X(late, "gate_first=1", true, true)                                                                        \
  X(ontime, "", true, true)
enum kind {
#define X(name, script, gated, salted) KIND_##name,
  KINDS(X)
#undef X
      KINDS_END
};

/* What is done in a callback, once. Leaving: the callback does not return. */
#define ACTS(X)                                                                                              \
  X(none, false)                                                                                             \
  X(pause, false)                                                                                            \
  X(stop, false)                                                                                             \
  X(inner, false)                                                                                            \
  X(same, false)                                                                                             \
  X(copy, false)                                                                                             \
  X(setopt, false)                                                                                           \
  X(itself, false)                                                                                           \
  X(recursion, false)                                                                                        \
  X(child, false)                                                                                            \
  X(childcall, false)                                                                                        \
  X(childexit, false)                                                                                        \
  X(thread, false)                                                                                           \
  X(signal, false)                                                                                           \
  X(later, false)                                                                                            \
  X(jump, true)                                                                                              \
  X(sigjump, true)                                                                                           \
  X(throw, true)                                                                                             \
  X(cancel, true)                                                                                            \
  X(threadexit, true)                                                                                        \
  X(exit, true)                                                                                              \
  X(quick, true)                                                                                             \
  X(_exit, true)                                                                                             \
  X(term, true)                                                                                              \
  X(kill, true)                                                                                              \
  X(abort, true)
enum act {
#define X(name, leaves) ACT_##name,
  ACTS(X)
#undef X
      ACTS_END
};

#define POINTS(X) X(none) X(read) X(header) X(write) X(progress)
enum point {
#define X(name) AT_##name,
  POINTS(X)
#undef X
      POINTS_END
};

#define OPERATIONS(X)                                                                                        \
  X(easy) X(multi) X(reset) X(cleanup) X(copy) X(fork) X(spawn) X(tick) X(close) X(park) X(end)
enum operation {
#define X(name) OP_##name,
  OPERATIONS(X)
#undef X
      OPERATIONS_END
};

struct call_spec {
  unsigned handle, number;
  enum kind kind;
  enum act act;
  enum point at;
};

struct step {
  unsigned lane;
  enum operation operation;
  char argument[24];
  unsigned count;
  struct call_spec calls[CALLS_MOST];
};

struct schedule {
  unsigned count;
  struct step steps[STEPS_MOST];
};

void schedule_generate(struct schedule *schedule, uint64_t seed);
void schedule_print(const struct schedule *schedule);

/* From standard input. False: a line that is no step. */
bool schedule_read(struct schedule *schedule);

#endif
