/* SPDX-License-Identifier: MIT */
/*
 * Copies the process for one transfer. The app does not notice: no SIGCHLD, no pid that its wait() returns,
 * no handler run. Each side has the transfer's connection or something dead in its place, so that no byte of
 * one side gets into the other's session.
 *
 *     switch (parting_make(&parting, call, &sockets)) {
 *     case PARTING_OWNER:  ...the app goes on; after the transfer: parting_end(&parting);
 *     case PARTING_COPY:   ...finish it, and _exit()
 *     case PARTING_FAILED: ...parting.reason; nothing has changed
 *     }
 */
#ifndef IDEMSHIM_SHIM_PARTING_H
#define IDEMSHIM_SHIM_PARTING_H

#include "shim/request/request.h"

enum handoff_side { HANDOFF_FAILED, HANDOFF_OWNER, HANDOFF_COPY };

struct handoff {
  int far;            /* what the dead descriptors lead to; open for as long as libcurl has them. -1: none */
  const char *reason; /* FAILED */
};

/* The transfer's connection. */
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

/* On the owner's side, when libcurl has let go of the dead descriptors. Does nothing for PARTING_NONE. */
void handoff_end(struct handoff *handoff);

/* Takes note of copies that have ended, where the app itself is who inherits orphans. */
void handoff_reap(void);

#endif
