/* SPDX-License-Identifier: MIT */
/*
 * network: machines of a test, each in a network of its own.
 *
 *     network_leave();                              // skips where that is not permitted
 *     open_world();
 *     struct run other = network_begin(&w);         // `ip link set dev X netns PID` and nsenter refer to it
 */
#ifndef HARNESS_NETWORK_H
#define HARNESS_NETWORK_H

#include "tests/harness/harness.h"

/* A network of its own for this process and for what it starts from now on, with the loopback alone. */
void network_leave(void);

/* A process in another network, in which nothing is up yet. It does nothing; the
 * caller's to run_release(). */
struct run network_begin(struct world *w);

/* The script that connects them; skips the test where `ip`, `nft` or the kernel has no such thing. */
void network_connect(struct world *w, const char *script);

#endif
