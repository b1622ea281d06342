/* SPDX-License-Identifier: MIT */
/*
 * budget: what a run may send and take, by budget= of a rule. It is one of the few things that fail closed,
 * so it is asked of calls that go out alone: what is replayed is free.
 *
 *     if (budget_is_spent(request))            // counts the call if not; told, if it is
 *       refuse(request, &own_answers_budget);
 *
 * A run is everything that one `idemshim run` has started, else a process. Its sums lie in the store's shared
 * page; tokens are added by the store when an answer says what it took, so that the last call before the
 * limit may go past it.
 */
#ifndef IDEMSHIM_SHIM_BUDGET_H
#define IDEMSHIM_SHIM_BUDGET_H

#include "shim/request/request.h"

bool budget_is_spent(struct request *request);

/* After commit: says once for the rule if its budget does not count what the answer took. */
void budget_report(const struct request *request);

/* The same of max_repeats=: how often the run has sent this content, whatever its key and number.
 * The store has named it. */
bool budget_is_repeated(struct request *request);

#endif
