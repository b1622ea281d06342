/* SPDX-License-Identifier: MIT */
#include "cli/commands/observe.h"

#include "cli/commands/money.h"
#include "cli/launch/find_store.h"
#include "cli/launch/launch.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "config/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Of the store, and so of whatever else is observed in it meanwhile. */
struct sums {
  struct idem_stats stats;
  struct cli_money money; /* zeros without a file of prices */
};

static struct sums before;
static const char *prices;

bool cli_observes(void)
{
  struct idem_config config;
  if (idem_config_load(&config, getenv, NULL) < 0)
    return false;
  bool observes = config.mode == IDEM_MODE_OBSERVE && config.summary;
  idem_config_release(&config);
  return observes;
}

/* Zeros where there is no store yet. */
static void look(struct sums *sums)
{
  struct idem_config config;
  struct idem_store *store;
  struct idem_error error = {""};
  if (idem_config_load_store(&config, getenv, NULL) < 0)
    return;
  if (cli_open_store(&config, &store, &error) == 0) {
    idem_store_stats(store, &sums->stats, &error);
    /* What is wrong with the prices is said once, and they are left out. */
    if (prices && cli_money_observed(store, prices, &sums->money) != CLI_OK)
      prices = NULL;
    idem_store_close(store);
  }
  idem_config_release(&config);
}

/* Where counting has begun anew meanwhile (stats --zero), or the store cannot be read any more, all that
 * is there is of the run. */
static uint64_t more(const struct sums *now, enum idem_counter counter)
{
  uint64_t was = before.stats.counter[counter], is = now->stats.counter[counter];
  return is < was ? is : is - was;
}

static double more_money(double is, double was)
{
  return is < was ? is : is - was;
}

/* "observe: 2 of 3 calls would have been answered from the store, which saves 0.6 s, 2 input and 23
 * output tokens, $0.0002". */
static int tell(int code)
{
  static struct sums now;
  char time[CLI_UNIT_SIZE], dollars[40], tokens[120], saves[300] = "";
  look(&now);
  uint64_t calls = more(&now, IDEM_COUNTER_calls), hits = more(&now, IDEM_COUNTER_would_hit),
           in = more(&now, IDEM_COUNTER_input_tokens_would_save),
           out = more(&now, IDEM_COUNTER_output_tokens_would_save);
  if (in || out)
    snprintf(tokens, sizeof(tokens), "%" PRIu64 " input and %" PRIu64 " output %s", in, out,
             idem_word(out, "token", "tokens"));
  else
    snprintf(tokens, sizeof(tokens),
             "no further tokens (counted once for each key, where an answer tells them)");
  if (hits)
    snprintf(saves, sizeof(saves), ", which saves %s, %s%s%s%s (IDEMSHIM_MODE=idempotent)",
             cli_duration(time, more(&now, IDEM_COUNTER_ms_would_save)), tokens, prices ? ", " : "",
             prices ? cli_dollars(dollars, more_money(now.money.sum.would_save, before.money.sum.would_save))
                    : "",
             now.money.sum.would_unpriced > before.money.sum.would_unpriced
                 ? " without the models that have no price"
                 : "");
  if (calls)
    cli_fail(code, "observe: %" PRIu64 " of %" PRIu64 " %s would have been answered from the store%s", hits,
             calls, idem_word(calls, "call", "calls"), saves);
  return code;
}

int cli_observe_run(char **argv)
{
  prices = cli_prices_file(NULL);
  look(&before);
  return cli_launch_and_wait(argv, &(struct cli_waiting){.end = tell});
}
