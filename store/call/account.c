/* SPDX-License-Identifier: MIT */
#include "store/call/account.h"

#include "store/base/stats.h"
#include "store/judge/model.h"
#include "store/judge/prices.h"

#include <stdio.h>
#include <string.h>

/* Read by the first call that needs it, and by each again that found a mistake in it: it
 * may have been mended. */
static const struct prices *prices_of(struct idem_store *store, struct idem_error *error)
{
  struct prices *prices = atomic_load_explicit(&store->prices, memory_order_acquire), *before = NULL;
  if (prices)
    return prices;
  if (!store->asked.prices)
    idem_error_set(error, 0, "no file of prices is named; IDEMSHIM_PRICES=FILE");
  else if (prices_load(&prices, store->asked.prices, error) == 0 &&
           !atomic_compare_exchange_strong(&store->prices, &before, prices)) {
    prices_free(prices);
    prices = before;
  }
  return prices;
}

/* A part of a token's price would be lost to a coarser unit: the cheapest are some dollars
 * for a thousand million. */
enum { NANO = 1000000000 };

/* Nano-dollars. An upper bound: what a provider's own cache has had of the input is counted in full. */
static uint64_t cost(struct idem_store *store, const struct idem_request *request,
                     const struct idem_usage *usage, struct idem_error *error)
{
  double rate[PRICE_RATES];
  struct model asked;
  struct idem_span model = model_asked_for(request, &asked);
  const struct prices *prices = prices_of(store, error);
  if (!prices)
    return 0;
  if (!prices_find(prices, model, rate)) {
    idem_error_set(error, 0, "%s has no price for %.*s", store->asked.prices, model.len ? (int)model.len : 13,
                   model.len ? model.data : "a call without a model");
    return 0;
  }
  double usd = (double)(usage->input > 0 ? usage->input : 0) * rate[PRICE_INPUT] +
               (double)(usage->output > 0 ? usage->output : 0) * rate[PRICE_OUTPUT];
  return usd < (double)(UINT64_MAX / 2 / NANO) ? (uint64_t)(usd * NANO + 0.5) : UINT64_MAX / 2;
}

void account_take(struct idem_store *store, struct idem_call *call, const struct idem_request *request,
                  const struct idem_usage *usage, bool accepted)
{
  const struct idem_budget *budget = &request->rule->budget;
  struct idem_error error = {""};
  bool dollars = budget->nano_dollars != IDEM_NO_BUDGET;
  uint64_t nano_dollars = 0;
  if (!call->run || (budget->tokens == IDEM_NO_BUDGET && !dollars))
    return;
  if (usage->input < 0 && usage->output < 0)
    idem_error_set(&error, 0, "they do not say how many tokens they took");
  else if (dollars)
    nano_dollars = cost(store, request, usage, &error);
  /* A failure costs nothing, and says so by saying nothing. */
  if (accepted)
    snprintf(call->uncounted, sizeof(call->uncounted), "%s", error.text);
  stats_take(store->stats, call->run, usage, nano_dollars);
}
