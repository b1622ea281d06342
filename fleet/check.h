/* SPDX-License-Identifier: MIT */
/*
 * check: whether a fleet is set up so that it can do what it is for; for the command, which has no other
 * thread.
 *
 *     check_fleet(client, tell, arg);           // tell(arg, IDEM_FLEET_GOOD, "round trip", "180 us")
 */
#ifndef IDEMSHIM_FLEET_CHECK_H
#define IDEMSHIM_FLEET_CHECK_H

#include "fleet/client.h"

/* 1: something is bad; else 0. What the server refuses is bad only if programs need it. It claims and stores
 * under a key that no operation has; all of it is forgotten within a minute. */
int check_fleet(struct idem_fleet_client *client, idem_fleet_tell *tell, void *arg);

#endif
