/* SPDX-License-Identifier: MIT */
/* usage: how many tokens a provider says it has counted, in a whole answer or in one event of a stream. */
#ifndef IDEMSHIM_STORE_USAGE_H
#define IDEMSHIM_STORE_USAGE_H

#include "store/store.h"

#include <jansson.h>

/* Takes what `json` reports; what it does not report stays. Providers count up, so the last event wins. */
void usage_take(const json_t *json, struct idem_usage *usage);

#endif
