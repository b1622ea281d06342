/* SPDX-License-Identifier: MIT */
/*
 * removals: what another machine of the fleet has removed is removed here, too.
 *
 *     if (removals_take(store, &limit) > 0)
 *       ... there are more than the limit had time for ...
 *
 * The fleet tells them in order, and the shared page has how far this machine has heard. Those of one reply
 * are one transaction, and none where nothing of them is here. Any thread of any process may take them; what
 * two take at once is removed twice, which makes no difference.
 */
#ifndef IDEMSHIM_STORE_REMOVALS_H
#define IDEMSHIM_STORE_REMOVALS_H

#include "store/state/state.h"

/* 0: all that there are; 1: some are left; or -errno, of the fleet (fleet/fleet.h) or of the store, and
 * the same are told again. */
int removals_take(struct idem_store *store, idem_fleet_limit *limit);

#endif
