/* SPDX-License-Identifier: MIT */
/* Which connection a transfer is on: libcurl tells the addresses in the middle of it, but not the descriptor.
 */
#ifndef IDEMSHIM_SHIM_CONNECTION_H
#define IDEMSHIM_SHIM_CONNECTION_H

#include "shim/rescue/handoff.h"

/* Adds its descriptors; none for a connection without ports, such as a Unix socket. */
void connection_find(const struct shadow *shadow, struct transfer_sockets *sockets);

/* True if another transfer may be going on over the same connection (HTTP/2). */
bool connection_is_shared(const struct shadow *shadow, const struct shadow *other);

#endif
