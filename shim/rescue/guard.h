/* SPDX-License-Identifier: MIT */
/*
 * Guard: a copy of the process that sleeps on the connection of a call: of a rule with guard=, until the
 * answer begins; of any that may be rescued, once the process exits. If the owner dies, it wakes and carries
 * the call on, provided that the owner has read and written nothing since: the kernel counts both for the
 * connection that they share, so that there is no moment in which it could be taken in. Otherwise it ends,
 * and the call is in doubt.
 */
#ifndef IDEMSHIM_SHIM_GUARD_H
#define IDEMSHIM_SHIM_GUARD_H

#include "shim/rescue/handoff.h"

struct guard {
  int tell;               /* an eventfd: the guard is not needed any more; -1: there is none */
  uint64_t read, written; /* on the connection, when the guard was made */
  int64_t due_us;         /* it has cost so much that it is not to be made anew before */
  bool barred;
};

#define GUARD_NONE ((struct guard){.tell = -1})

/* What makes the guard a copy that goes on, and where it stands. */
enum guard_side { GUARD_OWNER, GUARD_COPY };

/* Makes one, or another one if the owner has read since. GUARD_COPY: the owner has died, and it is ours.
 * Says once why there can be none: for one, where the program has more than `most_bytes` in memory. */
enum guard_side guard_keep(struct guard *guard, struct request *request,
                           const struct transfer_sockets *sockets, unsigned seconds, uint64_t most_bytes);

/* The answer comes, or the call is over. */
void guard_dismiss(struct guard *guard);

#endif
