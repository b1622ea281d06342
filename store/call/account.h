/* SPDX-License-Identifier: MIT */
/*
 * account: what the answers of a run have taken, for budget= of its rule: tokens, and dollars by the file of
 * prices.
 *
 *     account_take(store, call, request, &facts.usage, accepted);
 */
#ifndef IDEMSHIM_STORE_ACCOUNT_H
#define IDEMSHIM_STORE_ACCOUNT_H

#include "store/state/state.h"

/* Adds what an answer says that it took to `call->run`. Of one that was accepted and cannot be counted
 * `call->uncounted` says why. */
void account_take(struct idem_store *store, struct idem_call *call, const struct idem_request *request,
                  const struct idem_usage *usage, bool accepted);
#endif
