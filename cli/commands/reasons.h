/* SPDX-License-Identifier: MIT */
/*
 * Why calls were sent, left alone or not stored: the last few hundred decisions of a store, by event and
 * reason, for `stats` in its three forms.
 *
 *     cli_reasons_print(store);                  // a line for each, the most frequent first
 *     json_object_set_new(document, "reasons", cli_reasons_json(store));
 *     cli_reasons_metrics(store);                // Prometheus, also by host and rule
 */
#ifndef IDEMSHIM_CLI_REASONS_H
#define IDEMSHIM_CLI_REASONS_H

#include "store/store.h"

#include <jansson.h>

void cli_reasons_print(struct idem_store *store);
json_t *cli_reasons_json(struct idem_store *store);

/* The rule is the one of the configuration that would meet such a call now; "" if none does. */
void cli_reasons_metrics(struct idem_store *store);

#endif
