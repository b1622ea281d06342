/* SPDX-License-Identifier: MIT */
#include "cli/commands/money.h"

#include "cli/output/json.h"
#include "cli/output/label.h"
#include "cli/output/output.h"
#include "cli/output/text.h"
#include "cli/view/exchange.h"
#include "cli/view/prompt.h"
#include "store/base/stats.h"
#include "store/state/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* While the answers are read. `page` is a copy of the shared page, in which it stands whether an answer was
 * replayed. */
struct pricing {
  struct prices *prices;
  struct stats *page;
  struct cli_money money;
};

/* What is stored was paid for once. It has saved what its repeat would have cost, if it was replayed at all:
 * the page counts each answer once, as the tokens are. The repeat is taken for one that came later than a
 * prompt cache lives. */
static int price_answer(void *arg, const struct idem_answer *answer)
{
  struct pricing *pricing = arg;
  struct cli_reply reply;
  /* The model that was asked for: what an answer calls it may have a date, or be another one behind an
   * alias. */
  char *asked = cli_model(answer->path, answer->request_body);
  cli_reply_read(&reply, answer->headers, answer->body, false);
  /* A body that its program decodes itself is not read here; what it tells was read when it was stored. */
  if (reply.usage.input < 0 && reply.usage.output < 0)
    reply.usage = answer->usage;
  const char *model = asked && *asked ? asked : reply.model ? reply.model : "";
  struct cli_tokens_used used = cli_tokens_used(&reply), repeat = cli_tokens_of_repeat(&reply, INT64_MAX);
  struct cli_money_row *row = cli_money_row(&pricing->money, model);
  double paid =
      answer->usage.input < 0 && answer->usage.output < 0 ? -1 : cli_price(pricing->prices, model, &used);
  row->calls++;
  row->unpriced += paid < 0;
  if (paid >= 0) {
    row->paid += paid;
    /* What a copy of a process finished, or an app has refused a part of: paid for, and nobody had it
     * whole. */
    row->given_up += answer->delivered ? 0 : paid;
    row->saved +=
        stats_was_replayed(pricing->page, answer->serial) ? cli_price(pricing->prices, model, &repeat) : 0;
  }
  cli_reply_release(&reply);
  free(asked);
  return CLI_OK;
}

/* As if a provider's cache had nothing of it: what of the input was cached, observe mode does not keep. */
static void price_observed(struct pricing *pricing)
{
  for (size_t i = 0; pricing->page && i < STATS_MODELS; i++) {
    const struct stats_model *model = &pricing->page->model[i];
    bool named = atomic_load(&model->place) == STATS_NAMED;
    struct cli_tokens_used used = {.input = (int64_t)atomic_load(&model->input),
                                   .output = (int64_t)atomic_load(&model->output)};
    if (!used.input && !used.output)
      continue;
    struct cli_money_row *row = cli_money_row(&pricing->money, named ? model->name : "");
    double usd = cli_price(pricing->prices, named ? model->name : "", &used);
    row->would_save += usd > 0 ? usd : 0;
    row->would_unpriced += usd < 0 ? (uint64_t)(used.input + used.output) : 0;
  }
}

/* The page is mapped as a copy: reading it is not to count anything. */
static int open_pricing(struct pricing *pricing, struct idem_store *store, const char *file)
{
  char path[4096];
  *pricing = (struct pricing){.prices = cli_prices_load(file)};
  if (!pricing->prices)
    return CLI_USAGE;
  snprintf(path, sizeof(path), "%s/" STATS_FILE, store->dir);
  return stats_open_copy(&pricing->page, path) < 0 ? cli_fail(CLI_STORE, "%s cannot be read", path) : CLI_OK;
}

static void close_pricing(struct pricing *pricing, struct cli_money *money)
{
  price_observed(pricing);
  stats_close(pricing->page);
  prices_free(pricing->prices);
  cli_money_finish(&pricing->money);
  *money = pricing->money;
}

int cli_money_of_store(struct idem_store *store, const char *file, struct cli_money *money)
{
  struct idem_error error = {""};
  struct pricing pricing;
  int code = open_pricing(&pricing, store, file);
  if (code == CLI_OK) {
    code = idem_store_each(store, IDEM_OLDEST_FIRST, price_answer, &pricing, &error);
    code = code < 0 ? cli_fail(CLI_STORE, "%s", error.text) : code;
  }
  close_pricing(&pricing, money);
  return code;
}

int cli_money_observed(struct idem_store *store, const char *file, struct cli_money *money)
{
  struct pricing pricing;
  int code = open_pricing(&pricing, store, file);
  close_pricing(&pricing, money);
  return code;
}

/* False: what a row says is no sum, but that nothing of it has a price. */
static bool is_priced(const struct cli_money_row *row)
{
  return !row->calls || row->unpriced < row->calls;
}

static bool is_observed_priced(const struct cli_money_row *row)
{
  return !row->would_unpriced || row->would_save > 0;
}

/* Dollars, as the file of prices has them. */
static json_t *row_json(const struct cli_money_row *row)
{
  return json_pack("{s:I, s:I, s:f, s:f, s:f, s:o}", "answers", (json_int_t)row->calls, "without_price",
                   (json_int_t)row->unpriced, "paid_usd", row->paid, "saved_usd", row->saved, "given_up_usd",
                   row->given_up, "would_save_usd",
                   is_observed_priced(row) ? json_real(row->would_save) : json_null());
}

json_t *cli_money_json(const struct cli_money *money)
{
  json_t *document = row_json(&money->sum), *models = json_object();
  for (size_t i = 0; i < money->count; i++) {
    /* A name that is no UTF-8, or was cut within a character, would be refused as a key. */
    json_t *name = cli_json_string(money->row[i].model);
    json_object_set_new(models, json_string_value(name), row_json(&money->row[i]));
    json_decref(name);
  }
  json_object_set_new(document, "models", models);
  return document;
}

/* The sum stands last, as in any bill. */
void cli_money_print(const struct cli_money *money)
{
  char paid[40], saved[40], given_up[40], would_save[40];
  printf("\n%s%-40s %9s %12s %12s %12s %12s%s\n", cli_style(CLI_BOLD), "model", "answers", "paid", "saved",
         "given up", "would save", cli_style(CLI_PLAIN));
  for (size_t i = 0; i <= money->count; i++) {
    const struct cli_money_row *row = i < money->count ? &money->row[i] : &money->sum;
    size_t used = cli_put_line(stdout, row->model, strlen(row->model), 40);
    printf("%*s %9" PRIu64 " %12s %12s %12s %12s", (int)(40 - used), "", row->calls,
           is_priced(row) ? cli_dollars(paid, row->paid) : "no price",
           is_priced(row) ? cli_dollars(saved, row->saved) : "no price",
           is_priced(row) ? cli_dollars(given_up, row->given_up) : "no price",
           is_observed_priced(row) ? cli_dollars(would_save, row->would_save) : "no price");
    if (row->unpriced && row->unpriced < row->calls)
      printf("  %" PRIu64 " without a price", row->unpriced);
    putchar('\n');
  }
}

/* Gauges: what is stored is cleared out again, and a sum over it goes down. */
void cli_money_metrics(const struct cli_money *money)
{
  static const struct {
    const char *name, *help;
    size_t offset;
    bool (*priced)(const struct cli_money_row *row);
  } metrics[] = {
      {"paid_dollars", "what the stored answers have cost", offsetof(struct cli_money_row, paid), is_priced},
      {"saved_dollars", "what their repeats would have cost, once for each answer",
       offsetof(struct cli_money_row, saved), is_priced},
      {"given_up_dollars", "of what was paid, what no app has waited for",
       offsetof(struct cli_money_row, given_up), is_priced},
      {"would_save_dollars", "observe mode: what the tokens that would have been saved would have cost",
       offsetof(struct cli_money_row, would_save), is_observed_priced},
  };
  for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
    printf("# HELP idemshim_%s %s\n# TYPE idemshim_%s gauge\n", metrics[i].name, metrics[i].help,
           metrics[i].name);
    /* A metric has one HELP and one TYPE before all of its series (exposition format). */
    for (size_t j = 0; j < money->count; j++) {
      if (!metrics[i].priced(&money->row[j]))
        continue;
      printf("idemshim_%s{", metrics[i].name);
      cli_put_label("", "model", money->row[j].model);
      printf("} %.16g\n", *(const double *)((const char *)&money->row[j] + metrics[i].offset));
    }
  }
  puts("# HELP idemshim_answers_without_price of the stored answers, those that no sum has\n"
       "# TYPE idemshim_answers_without_price gauge");
  for (size_t j = 0; j < money->count; j++) {
    fputs("idemshim_answers_without_price{", stdout);
    cli_put_label("", "model", money->row[j].model);
    printf("} %" PRIu64 "\n", money->row[j].unpriced);
  }
}
