/* SPDX-License-Identifier: MIT */
/*
 * handoff: a transfer and its claim are handed to a copy of the process.
 *
 *     switch (handoff_transfer(&handoff, request, &sockets)) {
 *     case HANDOFF_OWNER:  ...the app goes on; after the transfer: handoff_end(&handoff);
 *     case HANDOFF_COPY:   ...finish it, and process_copy_leave()
 *     case HANDOFF_FAILED: ...handoff.reason; nothing has changed
 *     }
 *
 * After the copy exactly one side holds the connection. The other side's descriptor is replaced by one end of
 * an unconnected socket pair, because libcurl remembers the number, so that no byte of one side gets into the
 * other's session. The app does not notice (process_copy.h). All locks of ours are taken round the copy, the
 * feeder's and the store's before those of fork.h, and the thread is not cancelled meanwhile. It fails
 * without a descriptor or a place among IDEMSHIM_RESCUES, and where the process cannot be copied.
 */
#ifndef IDEMSHIM_SHIM_HANDOFF_H
#define IDEMSHIM_SHIM_HANDOFF_H

#include "shim/request/request.h"

enum handoff_side { HANDOFF_FAILED, HANDOFF_OWNER, HANDOFF_COPY };

struct handoff {
  int far;            /* what the dead descriptors lead to; open for as long as libcurl has them. -1: none */
  const char *reason; /* FAILED */
};

/* The descriptors of a transfer's connection. */
enum { HANDOFF_SOCKETS = 5 };
struct transfer_sockets {
  int fd[HANDOFF_SOCKETS];
  unsigned count;
  bool watched; /* the app may have them in epoll sets */
};

#define HANDOFF_NONE ((struct handoff){.far = -1})

/* The call must own its claim, which goes to the copy. */
enum handoff_side handoff_transfer(struct handoff *handoff, struct request *request,
                                   const struct transfer_sockets *sockets);

/* A copy that sleeps for now, and is killed after `seconds`: the owner keeps call and connection, and the
 * copy keeps two descriptors more. Nothing is left to end on the owner's side. */
enum handoff_side handoff_standby(struct handoff *handoff, struct request *request,
                                  const struct transfer_sockets *sockets, unsigned seconds,
                                  const int keep[2]);

/* On the owner's side, when libcurl has let go of the dead descriptors. Does nothing for HANDOFF_NONE. */
void handoff_end(struct handoff *handoff);

/* Takes note of copies that have ended, where the app itself is who inherits orphans. */
void handoff_reap(void);

#endif
