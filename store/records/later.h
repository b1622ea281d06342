/* SPDX-License-Identifier: MIT */
/*
 * later: answers that are stored by a thread of ours, because the one that has them may not wait for the
 * disk: it turns a multi.
 *
 *     if (later_add(&later))                        // false: no memory, room or thread; nothing has happened
 *       later_start();                              // after the last that are to be written together
 *     ... later->written(later), later->done(later->arg), in that thread; then, or whenever ...
 *     if (later_is_done(&later))
 *       later->own->verdict, later->error
 *     else if (later_leave(&later, left))
 *       ... it is left(&later)'s now, in that thread: it is written all the same ...
 *
 * The record is made where it is added, so that nothing of the call is looked at afterwards, and it may end
 * meanwhile. There is one thread in a process, of all stores; it is made when there is something to write,
 * and goes when nothing has come for a while, or at once if later_rest() says that nothing will. It blocks
 * all signals. A child has none, and what its parent has added is not done there. A process that calls exit()
 * waits for what has been added, for LATER_AT_EXIT_S at most; from then on nothing is. No more than
 * LATER_BYTES waits for a disk that does not keep up: whoever has more waits for it himself.
 */
#ifndef IDEMSHIM_STORE_LATER_H
#define IDEMSHIM_STORE_LATER_H

#include "store/records/batch.h"

enum { LATER_AT_EXIT_S = 5, LATER_BYTES = 32 << 20 };

struct later {
  struct idem_store *store;
  struct batch_own *own; /* with a draft; its record is the caller's to free, when it is done */
  int64_t deadline_us;   /* of its call; 0: none */
  void (*written)(struct later *later);
  void (*done)(void *arg); /* under a lock: it calls nothing of the store's */
  void *arg;
  struct idem_error error;
  /* its own */
  void (*left)(struct later *later);
  struct later *next;
  uint32_t life;
  bool is_done;
};

bool later_add(struct later *later);
void later_start(void);
/* Also in a child, where it is nobody's to write. */
bool later_is_done(const struct later *later);
static inline bool later_is_of_parent(const struct later *later)
{
  return !later->is_done;
}
/* No longer than a write of its own would have taken, and not past its deadline. */
void later_wait(const struct later *later);
/* Nothing is to come for now. If nothing is left to do, the thread has gone afterwards: the kernel lets no
 * process with another thread into a namespace, and Python warns where it forks. */
void later_rest(void);
/* False: it is done. */
bool later_leave(struct later *later, void (*left)(struct later *later));

#endif
