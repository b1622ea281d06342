/* SPDX-License-Identifier: MIT */
/*
 * session: a connection of the client's that is one thread's for a while, and what is said on it before
 * anything is asked.
 *
 *     struct client_slot *slot = session_wait_for(client, node, until_us);  // NULL: all are in use
 *     rc = session_open(client, slot, node, until_us);                      // connects and logs in
 *     ... commands ...
 *     session_drop(slot);                                                   // after a failure
 *     session_give(slot);
 */
#ifndef IDEMSHIM_FLEET_SESSION_H
#define IDEMSHIM_FLEET_SESSION_H

#include "fleet/client.h"

/* False: another thread has it. */
bool session_take(struct idem_fleet_client *client, struct client_slot *slot);
struct client_slot *session_take_for(struct idem_fleet_client *client, struct client_slot *slots,
                                     unsigned count, int node);
struct client_slot *session_wait_for(struct idem_fleet_client *client, int node, int64_t until_us);
void session_give(struct client_slot *slot);
/* Closes the connection; the slot stays taken. */
void session_drop(struct client_slot *slot);

/* 0 or -errno, with words in the link's `error`. */
int session_open(struct idem_fleet_client *client, struct client_slot *slot, int node, int64_t until_us);
/* On a link to a sentinel: the number of the master that it knows. */
int session_ask_sentinel(struct idem_fleet_client *client, struct link *link, int *node);

#endif
