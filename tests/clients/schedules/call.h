/* SPDX-License-Identifier: MIT */
/* call: one call of a schedule, its callbacks and what they do. */
#ifndef SCHEDULE_CALL_H
#define SCHEDULE_CALL_H

#include "tests/clients/multi_loops.h"
#include "tests/clients/schedules/schedule.h"

#include <pthread.h>
#include <setjmp.h>

struct call;

/* One lane. The thread that runs it may end before the lane does; then another one goes on with it. */
struct lane {
  unsigned id;
  CURL *handles[HANDLES];
  struct loop loop; /* of its multi, if there is one */
  unsigned next;    /* step */
  bool finished, parked, settled;
  struct call *cancelled; /* its gate is closed yet */
  sigjmp_buf caller;
  void *landing; /* a frame below which nothing is left */
};

struct call {
  struct lane *lane;
  struct call_spec spec;
  CURL *handle;
  const char *mark; /* behind the handle in the log, for calls inside others */
  bool in_multi;
  bool hold; /* the gate stays closed */
  bool acted, arrived, paused, done;
  char body[160], gate[64], sequence[16];
  size_t body_at, head_lines, bytes;
  unsigned updates_while_paused;
  uint64_t head_hash, hash;
};

/* Of the thread. */
extern __thread struct lane *lane;

/* A line of the log, at once. */
void say(const struct lane *of, unsigned handle, const char *mark, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* curl_easy_init() spins on a lock of libcurl's, which a fork in another thread leaves taken in the child for
 * good: the two never meet here. */
CURL *handle_new(void);
pid_t fork_between(void);

/* From the command line. */
void calls_begin(const char *url, const char *tag, const char *salt);

/* Sets the options. The call is never freed: libcurl may call its callbacks as long
 * as there is the handle. */
struct call *call_prepare(struct lane *of, const struct call_spec *spec, CURL *handle);

void call_open_gate(const struct call *call);
void call_unpause(struct call *call);

/* What came of it, in the log. */
void call_end(struct call *call, CURLcode code);
void call_tell(const struct call *call, const char *what);

/* Waits until all other lanes have ended or are parked. */
void settle(void);
void lane_settled(struct lane *of);

/* Does not return. */
_Noreturn void end_process(const char *way);

#endif
