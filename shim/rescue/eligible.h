/* SPDX-License-Identifier: MIT */
/*
 * eligible: which calls a copy of the process can carry on.
 *
 *     connection_find(shadow, &sockets);
 *     const char *against = eligible_reason(request, tee, &sockets);
 *     if (against)
 *       request_bypass(request, against);
 *
 * Asked in the thread of the transfer, by whom nothing is changed. What cannot be told speaks against a copy.
 */
#ifndef IDEMSHIM_SHIM_ELIGIBLE_H
#define IDEMSHIM_SHIM_ELIGIBLE_H

#include "shim/rescue/handoff.h"

struct tee;

/* NULL, or why the call cannot be carried on; for the log. */
const char *eligible_reason(const struct request *request, const struct tee *tee,
                            const struct transfer_sockets *sockets);

/* True if all of the request has gone out. */
bool eligible_is_sent_whole(const struct request *request);

#endif
