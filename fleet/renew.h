/* SPDX-License-Identifier: MIT */
/*
 * renew: a claim's lease, written and not waited for, on a connection of its own.
 *
 *     said = renew_claim(client, &fence);      // now and then, from whatever turns
 */
#ifndef IDEMSHIM_FLEET_RENEW_H
#define IDEMSHIM_FLEET_RENEW_H

#include "fleet/client.h"

/* As client_run(), but what it says is read at the next one: the last that was said for this generation, or
 * 1. So 0 comes a turn late, and may not come at all where another claim's news has its place; what is sure
 * is what `commit` says. */
int renew_claim(struct idem_fleet_client *client, const struct idem_fleet_fence *fence);

#endif
