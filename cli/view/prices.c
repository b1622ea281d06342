/* SPDX-License-Identifier: MIT */
#include "cli/view/prices.h"

#include "cli/output/label.h"
#include "cli/output/output.h"
#include "cli/view/exchange.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a prompt cache: how long an entry lives after its last use, how much has to be there, and in which
 * steps. These are OpenAI's and Anthropic's shortest, read 2026-11. */
enum { CACHE_US = 300000000, CACHE_LEAST = 1024, CACHE_STEP = 128 };

/* What it gives is the caller's own text, or lives as long as the command; a mistake in the settings is as
 * if none were named. */
const char *cli_prices_file(const char *named)
{
  static char path[4096];
  struct idem_config config;
  if (named || idem_config_load_store(&config, getenv, NULL) < 0)
    return named;
  snprintf(path, sizeof(path), "%s", config.prices ? config.prices : "");
  idem_config_release(&config);
  return *path ? path : NULL;
}

struct prices *cli_prices_load(const char *path)
{
  struct idem_error error = {""};
  struct prices *prices = NULL;
  if (prices_load(&prices, path, &error) < 0)
    cli_fail(CLI_USAGE, "%s", error.text);
  return prices;
}

/* -1 says that it is not told. */
static int64_t known(int64_t n)
{
  return n > 0 ? n : 0;
}

/* An answer that tells nothing of its cache has read and written nothing in it. */
struct cli_tokens_used cli_tokens_used(const struct cli_reply *reply)
{
  return (struct cli_tokens_used){known(reply->usage.input), known(reply->cached), known(reply->written),
                                  known(reply->usage.output)};
}

/* The replayed answer's own usage, but as a second request would have had it: what the first one wrote to the
 * provider's cache would be read from there, as long as it lives. */
struct cli_tokens_used cli_tokens_of_repeat(const struct cli_reply *reply, int64_t since_us)
{
  struct cli_tokens_used used = cli_tokens_used(reply);
  /* Nothing is left in the cache: a repeat costs what the first one did. */
  if (since_us > CACHE_US)
    return used;
  /* Who writes by request tells what it wrote; who caches by itself takes whole steps of a long prompt. */
  if (reply->written >= 0)
    used.cached += used.written;
  else if (used.input >= CACHE_LEAST && used.input / CACHE_STEP * CACHE_STEP > used.cached)
    used.cached = used.input / CACHE_STEP * CACHE_STEP;
  used.written = 0;
  return used;
}

/* Cached and written tokens are a part of the input. */
double cli_price(const struct prices *prices, const char *model, const struct cli_tokens_used *used)
{
  double rate[PRICE_RATES];
  if (!prices_find(prices, cli_span(model), rate))
    return -1;
  int64_t plain = used->input - used->cached - used->written;
  return (double)(plain > 0 ? plain : 0) * rate[PRICE_INPUT] + (double)used->cached * rate[PRICE_CACHED] +
         (double)used->written * rate[PRICE_WRITTEN] + (double)used->output * rate[PRICE_OUTPUT];
}

const char *cli_dollars(char out[40], double usd)
{
  /* As many digits as keep two or three that count: a call is a fraction of a cent, and a month is a thousand
   * dollars. */
  snprintf(out, 40,
           usd == 0        ? "$0"
           : usd >= 100    ? "$%.0f"
           : usd >= 0.1    ? "$%.2f"
           : usd >= 0.0001 ? "$%.4f"
                           : "$%.7f",
           usd);
  return out;
}

/* Names longer than a row has room for are one row if they begin alike, and so are those
 * that are printed alike. */
struct cli_money_row *cli_money_row(struct cli_money *money, const char *model)
{
  char name[sizeof(money->row[0].model)];
  snprintf(name, sizeof(name), "%s", *model ? model : "(no model)");
  for (size_t i = 0; i < money->count; i++)
    if (cli_labels_equal(money->row[i].model, name))
      return &money->row[i];
  /* Full: the last row stands for all that come after it, and got that name when it was made. */
  if (money->count == CLI_MONEY_ROWS)
    return &money->row[CLI_MONEY_ROWS - 1];
  struct cli_money_row *row = &money->row[money->count++];
  *row = (struct cli_money_row){0};
  snprintf(row->model, sizeof(row->model), "%s", money->count == CLI_MONEY_ROWS ? "(others)" : name);
  return row;
}

/* By what was paid and what would have been. */
static int by_worth(const void *a, const void *b)
{
  const struct cli_money_row *x = a, *y = b;
  double left = x->paid + x->saved + x->would_save, right = y->paid + y->saved + y->would_save;
  return left != right ? (left < right ? 1 : -1) : strcmp(x->model, y->model);
}

/* Once, when all is counted: sorting moves the row of others from its place, which cli_money_row() relies
 * on. */
void cli_money_finish(struct cli_money *money)
{
  struct cli_money_row *sum = &money->sum;
  *sum = (struct cli_money_row){.model = "all"};
  for (size_t i = 0; i < money->count; i++) {
    sum->calls += money->row[i].calls;
    sum->unpriced += money->row[i].unpriced;
    sum->paid += money->row[i].paid;
    sum->saved += money->row[i].saved;
    sum->given_up += money->row[i].given_up;
    sum->would_save += money->row[i].would_save;
    sum->would_unpriced += money->row[i].would_unpriced;
  }
  qsort(money->row, money->count, sizeof(*money->row), by_worth);
}
