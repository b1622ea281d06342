/* SPDX-License-Identifier: MIT */
/*
 * guard: a copy of the process that sleeps on the connection of a call of a rule with guard=, from the moment
 * that the request has gone out until the answer begins. If the owner dies, of whatever death, it wakes and
 * carries the call on, provided that the owner has read and written nothing since: the kernel counts both for
 * the connection that they share, so that there is no moment in which it could be taken in. Otherwise it
 * ends, and the call is in doubt.
 */
#ifndef IDEMSHIM_SHIM_GUARD_H
#define IDEMSHIM_SHIM_GUARD_H

#include "shim/rescue/handoff.h"

struct guard {
  struct own_fd tell;     /* a byte to it: the guard is not needed any more; none: there is no guard */
  uint64_t read, written; /* on the connection, when the guard was made */
  bool barred;            /* there can be none, and the reason has been said */
};

#define GUARD_NONE ((struct guard){.tell = OWN_FD_NONE})

/* The two sides of the fork that makes the guard: the process that owns the call, and its copy. */
enum guard_side { GUARD_OWNER, GUARD_COPY };

/* Makes one, or another one if the owner has read since. GUARD_COPY: the owner has died, and it is ours.
 * Says once why there can be none: for one, where the program has more than `size_most` bytes in use, which
 * is IDEMSHIM_GUARD_SIZE or no limit. The copy is killed after `seconds`. */
enum guard_side guard_keep(struct guard *guard, struct request *request,
                           const struct transfer_sockets *sockets, unsigned seconds, uint64_t size_most);

/* There is one, and it would go on: nothing has been read or written since. */
bool guard_holds(const struct guard *guard, const struct transfer_sockets *sockets);

/* The answer comes, or the call is over. */
void guard_dismiss(struct guard *guard);

#endif
