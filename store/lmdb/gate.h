/* SPDX-License-Identifier: MIT */
/*
 * gate: what stands before LMDB's write lock, so that nobody waits for it without end. LMDB's is a mutex that
 * a process which is stopped, or whose disk does not answer, holds for as long as it likes; whoever asks for
 * it has to wait.
 *
 *     int rc = gate_enter(gate, engine, job, error);       0, or -ETIMEDOUT with the message
 *     ... one transaction ...
 *     gate_leave(gate, engine);
 *
 * It is a record lock on the data file, of which the kernel knows who holds it and which ends with its
 * process, behind a mutex for the threads of this one. Waiting goes on for as long as commits do, up to
 * GATE_MOST_MS, and not more than the gate's patience without any: the patience of an app is
 * GATE_PATIENCE_MS, that of a command is its own; who makes a store, or waits for who does, has
 * GATE_MAKING_MS at least, since a process that could not open it goes without for a while. After it was in
 * vain the gate is only tried for a second, so that a call with three writes does not wait three times; a
 * commit ends that, for whoever did not go on does. Whoever is let in may take LMDB's lock at once, since
 * everybody who writes comes this way.
 *
 * Time in which who waits did not run, as on a machine with too much to do, or under a debugger, is no time
 * in which the writer could have gone on: between two tries 20 ms count at most.
 *
 * Who waits sleeps between two tries, or does something better: nap() may put its write where whoever is in
 * the gate finds it (base/commit_queue.h), and ends the wait once that is done (-EALREADY).
 *
 * A call has a timeout of its own, which its thread sets for a while; no more than half of what is left of it
 * is waited:
 *
 *     GATE_UNTIL(call->deadline_us);                      up to the end of the block
 *
 * A record lock ends when its process closes any descriptor of the file, so nothing of ours closes one while
 * somebody may write. An app that reads the data file as a file opens the gate for others, who then wait for
 * LMDB's lock.
 *
 * Any thread; nothing is held by it in a child, which has an engine, and so a gate, of its own.
 */
#ifndef IDEMSHIM_STORE_GATE_H
#define IDEMSHIM_STORE_GATE_H

#include "config/config.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Without a commit, for an app, and for what a store cannot be opened without; and with commits, for anybody
 * whose patience is not longer. */
enum { GATE_PATIENCE_MS = 100, GATE_MAKING_MS = 1000, GATE_MOST_MS = 5000 };

struct engine;
struct writer_job;

struct gate {
  pthread_mutex_t mutex;
  bool has_file; /* of who is in it: the data file was there to be locked */
  unsigned patience_ms;
  _Atomic int64_t closed_until_us; /* by the monotonic clock, */
  _Atomic size_t closed_at;        /* or up to the next commit after this one */
};

void gate_open(struct gate *gate, unsigned patience_ms);
/* For this job (engine.h), which says how it is waited. */
int gate_enter(struct gate *gate, const struct engine *engine, const struct writer_job *job,
               struct idem_error *error);
void gate_leave(struct gate *gate, const struct engine *engine);

/* Sets what the writes of this thread may wait for, by the monotonic clock, and returns what
 * it was; 0 is no limit. */
int64_t gate_until(int64_t deadline_us);
static inline void gate_until_end(const int64_t *before)
{
  gate_until(*before);
}
#define GATE_UNTIL(deadline_us)                                                                              \
  __attribute__((cleanup(gate_until_end), unused)) const int64_t gate_before = gate_until(deadline_us)

#endif
