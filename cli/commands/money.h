/* SPDX-License-Identifier: MIT */
/*
 * What the answers of a store have cost and saved, by a file of prices (cli/view/prices.h), in the forms of
 * `stats`.
 *
 *     struct cli_money money;
 *     int code = cli_money_of_store(store, "prices.json", &money);      reads every answer
 *     if (code == CLI_OK)
 *       cli_money_print(&money);
 */
#ifndef IDEMSHIM_CLI_MONEY_H
#define IDEMSHIM_CLI_MONEY_H

#include "cli/command/command.h"
#include "cli/view/prices.h"

#include <jansson.h>

/* Returns an enum cli_exit; what is wrong has been said. */
int cli_money_of_store(struct idem_store *store, const char *prices, struct cli_money *money);

/* What mode observe would have saved, alone: no answer is read. */
int cli_money_observed(struct idem_store *store, const char *prices, struct cli_money *money);

void cli_money_print(const struct cli_money *money);
json_t *cli_money_json(const struct cli_money *money);
void cli_money_metrics(const struct cli_money *money);

#endif
