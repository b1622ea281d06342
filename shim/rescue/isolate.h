/* SPDX-License-Identifier: MIT */
/* What makes a copy of the process a process of its own: it has nothing left of the app's that anybody could
 * notice. */
#ifndef IDEMSHIM_SHIM_SOLE_H
#define IDEMSHIM_SHIM_SOLE_H

enum { ISOLATE_KEEPS = 16 };

/* A turn of libcurl's loop takes a second at most when nothing happens; a commit waits for a disk. */
enum { ISOLATE_TURN_SECONDS = 15, ISOLATE_COMMIT_SECONDS = 120 };

struct isolation {
  int dead; /* stands in for every descriptor that is not kept: their numbers must not be used again, for
               libcurl has them noted */
  unsigned seconds; /* it is killed after that time */
  int keep[ISOLATE_KEEPS];
  unsigned count;
};

static inline void isolate_keep_fd(struct isolation *isolation, int fd)
{
  if (isolation->count < ISOLATE_KEEPS)
    isolation->keep[isolation->count++] = fd;
}

/* With all signals blocked; they are open afterwards, and at their defaults. */
void isolate_process(struct isolation *isolation);

/* A copy may wait for ever for a lock, malloc's for one, that a thread held which is not in it. It is killed
 * unless it comes here again within that time. */
void isolate_kill_after(unsigned seconds);

#endif
