/* SPDX-License-Identifier: MIT */
/*
 * handoff: a transfer and its claim are handed to a copy of the process.
 *
 *     switch (handoff_make(&handoff, request, &sockets, PROCESS_COPY_TURN_SECONDS, NULL)) {
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

#include "shim/base/own_fd.h"
#include "shim/live/connection.h"
#include "shim/request/request.h"

enum handoff_side { HANDOFF_FAILED, HANDOFF_OWNER, HANDOFF_COPY };

struct handoff {
  struct own_fd far;  /* what the dead descriptors lead to; open for as long as libcurl has them */
  const char *reason; /* FAILED */
};

#define HANDOFF_NONE ((struct handoff){.far = OWN_FD_NONE})

/* The call must own its claim. The copy is killed after `seconds`, unless it asks for more. Without `also`,
 * claim and connection go to the copy. With it, the copy sleeps for now and keeps these two descriptors more:
 * the owner keeps call and connection, and nothing is left to end on its side. */
enum handoff_side handoff_make(struct handoff *handoff, struct request *request,
                               const struct transfer_sockets *sockets, unsigned seconds, const int *also);

/* On the owner's side, when libcurl has let go of the dead descriptors. Does nothing for HANDOFF_NONE. */
void handoff_end(struct handoff *handoff);

#endif
