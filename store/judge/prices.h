/* SPDX-License-Identifier: MIT */
/*
 * prices: what a model's tokens cost, by a file: the JSON that LiteLLM publishes
 * (model_prices_and_context_window.json), or lines of "MODEL INPUT OUTPUT [CACHED [WRITTEN]]" in dollars for
 * a million tokens. Nothing is known without it: prices change, and a number that was built in would be wrong
 * in silence.
 *
 *     struct prices *prices;
 *     double rate[PRICE_RATES];
 *     if (prices_load(&prices, "prices.json", &error) == 0 && prices_find(prices, model, rate))
 *       usd = input * rate[PRICE_INPUT] + output * rate[PRICE_OUTPUT];
 *     prices_free(prices);
 */
#ifndef IDEMSHIM_STORE_JUDGE_PRICES_H
#define IDEMSHIM_STORE_JUDGE_PRICES_H

#include "store/store.h"

struct prices;

/* Dollars for one token. Cached and written tokens are parts of the input. */
enum price_rate { PRICE_INPUT, PRICE_OUTPUT, PRICE_CACHED, PRICE_WRITTEN, PRICE_RATES };

/* 0, or negative with a message that names the file and the line. Nothing of a file with a mistake is used,
 * and one in which no model has a price is a mistake: a sum with one model less would look like a sum. */
int prices_load(struct prices **out, const char *path, struct idem_error *error);
/* NULL is fine. */
void prices_free(struct prices *prices);

/*
 * False: the model has no price of its input, and `rate` is as it was. A dated or a prefixed name has the
 * price of the plain one where it has none itself: "gpt-4o-2024-08-06", "models/gemini-pro". An output
 * without a rate is free, as that of embeddings is, and cached or written tokens without one cost as the
 * input does.
 */
bool prices_find(const struct prices *prices, struct idem_span model, double rate[PRICE_RATES]);

#endif
