/* SPDX-License-Identifier: MIT */
/*
 * away: whether a server is worth asking, as all processes of the machine know it (client.h says when it is
 * left alone).
 *
 *     struct idem_fleet_away *away = away_of(client, node);
 *     enum leave leave = away_may_ask(away);                        // LEAVE_NO: nobody is asked
 *     ... it is asked ...
 *     away_note_success(client->shared, away);                       // or
 *     away_note_failure(client->shared, away, rc, leave, count);
 *
 * All of it is in the shared page: no lock, no system call, and a process that dies leaves nothing half done.
 */
#ifndef IDEMSHIM_FLEET_AWAY_H
#define IDEMSHIM_FLEET_AWAY_H

#include "fleet/client.h"

/* To ask. Who probes is the one that finds out for all processes. */
enum leave { LEAVE_NO, LEAVE_YES, LEAVE_TO_PROBE };

/* Of the server with that number, in a cluster; else of the one that there is. */
struct idem_fleet_away *away_of(struct idem_fleet_client *client, int node);
enum leave away_may_ask(struct idem_fleet_away *away);
void away_note_success(struct idem_fleet_shared *shared, struct idem_fleet_away *away);
/* With what it has failed, so many times one after the other. */
void away_note_failure(struct idem_fleet_shared *shared, struct idem_fleet_away *away, int code,
                       enum leave leave, unsigned count);
/* Whether a silence on this link says anything of the server. */
bool away_has_waited(const struct idem_fleet *where, const struct link *link);

#endif
