/* SPDX-License-Identifier: MIT */
/*
 * What calls cost, by the prices of a file (store/judge/prices.h), and sums of that by model.
 *
 *     struct prices *prices = cli_prices_load("prices.json");       NULL: said why
 *     struct cli_tokens_used used = cli_tokens_used(&reply);
 *     double usd = cli_price(prices, "gpt-4o", &used);                  negative: the model has no price
 *     prices_free(prices);
 */
#ifndef IDEMSHIM_CLI_PRICES_H
#define IDEMSHIM_CLI_PRICES_H

#include "cli/view/reply.h"
#include "store/judge/prices.h"

/* Cached and written tokens are parts of the input. */
struct cli_tokens_used {
  int64_t input, cached, written, output;
};

/* The file that was named, else that of IDEMSHIM_PRICES, which may stand in a configuration file;
 * NULL if there is none. */
const char *cli_prices_file(const char *named);
struct prices *cli_prices_load(const char *path);

/* What an answer says that it took; what it does not say is 0. */
struct cli_tokens_used cli_tokens_used(const struct cli_reply *reply);

/* What the same call would have taken `since_us` later: within the time of a prompt cache its input is
 * cached, as far as the provider caches it by itself or was told to. */
struct cli_tokens_used cli_tokens_of_repeat(const struct cli_reply *reply, int64_t since_us);

/* Dollars; negative where the model has no price, or its name says nothing. */
double cli_price(const struct prices *prices, const char *model, const struct cli_tokens_used *used);

/* "$0.0123", "$12.34": with as many digits as say something. */
const char *cli_dollars(char out[40], double usd);

/* Sums by model. */
struct cli_money_row {
  char model[64];
  uint64_t calls, unpriced;     /* unpriced: of the calls */
  double paid, saved, given_up; /* given_up: of what was paid, finished after the app had given up */
  double would_save;            /* mode observe */
  uint64_t would_unpriced;      /* mode observe: tokens without a price */
};
enum { CLI_MONEY_ROWS = 48 };
struct cli_money {
  struct cli_money_row row[CLI_MONEY_ROWS], sum;
  size_t count;
};

/* The model's row, the last one for all that have no room. */
struct cli_money_row *cli_money_row(struct cli_money *money, const char *model);
/* The sum of all rows is then right, and the dearest stands first. */
void cli_money_finish(struct cli_money *money);

#endif
