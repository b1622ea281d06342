/* SPDX-License-Identifier: MIT */
/* `stats`: the counters of the store's shared page and what it holds now, in three forms. The
 * names and helps of the counters are those of IDEM_COUNTERS, so a new one appears here by
 * itself. */
#include "store/base/stats.h"
#include "cli/commands/money.h"
#include "cli/commands/reasons.h"
#include "cli/launch/find_store.h"
#include "cli/output/json.h"
#include "cli/output/label.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "store/state/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Counters have the numbers of the store's page. */
static const struct {
  const char *name, *help;
} counters[IDEM_COUNTER_COUNT] = {
#define X(name, help) {#name, help},
    IDEM_COUNTERS(X)
#undef X
};

/* What the store holds now; the same for every form of output. */
static const struct {
  const char *name, *help;
  size_t offset;
} gauges[] = {
    {"answers", "answers in the store", offsetof(struct idem_stats, answers)},
    {"old_answers", "of them by idemshim 0.1: never looked up", offsetof(struct idem_stats, old_answers)},
    {"answer_bytes", "bytes that they take", offsetof(struct idem_stats, answer_bytes)},
    {"capacity_bytes", "bytes that they may take", offsetof(struct idem_stats, capacity)},
};

/* The number of gauges. */
#define GAUGE_COUNT (sizeof(gauges) / sizeof(gauges[0]))

/* The gauge is found by its place in the struct, as the table has it. */
static uint64_t gauge(const struct idem_stats *stats, size_t i)
{
  return *(const uint64_t *)((const char *)stats + gauges[i].offset);
}

/* The rate is 0 before the first call, since a rate of nothing has to be something. */
static double hit_rate(const struct idem_stats *stats)
{
  uint64_t calls = stats->counter[IDEM_COUNTER_calls];
  return calls ? (double)stats->counter[IDEM_COUNTER_hits] / (double)calls : 0;
}

/* JSON */

/* Every counter by its name; hit_rate and duplicates_prevented are what a dashboard would
 * otherwise work out. */
static int print_stats_json(const struct idem_stats *stats, struct idem_store *store,
                            const struct cli_money *money)
{
  char since[CLI_UNIT_SIZE];
  json_t *document = json_object();
  for (size_t i = 0; i < IDEM_COUNTER_COUNT; i++)
    json_object_set_new(document, counters[i].name, json_integer((json_int_t)stats->counter[i]));
  json_object_set_new(document, "hit_rate", json_real(hit_rate(stats)));
  json_object_set_new(document, "duplicates_prevented",
                      json_integer((json_int_t)stats->counter[IDEM_COUNTER_hits]));
  for (size_t i = 0; i < GAUGE_COUNT; i++)
    json_object_set_new(document, gauges[i].name, json_integer((json_int_t)gauge(stats, i)));
  json_object_set_new(document, "reasons", cli_reasons_json(store));
  if (money)
    json_object_set_new(document, "money", cli_money_json(money));
  json_object_set_new(document, "since", json_string(cli_timestamp(since, stats->since_us)));
  return cli_print_json(document);
}

/* The Prometheus text format, version 0.0.4. */

/* Counters end in _total and units are base units, as Prometheus has it: what is counted in milliseconds is
 * told in seconds. Gauges have no suffix. */
static void print_metric(const char *name, const char *suffix, const char *type, const char *help,
                         double value)
{
  printf("# HELP idemshim_%s%s %s\n# TYPE idemshim_%s%s %s\nidemshim_%s%s %.16g\n", name, suffix, help, name,
         suffix, type, name, suffix, value);
}

static void print_counter(unsigned i, const struct idem_stats *stats)
{
  uint64_t n = stats->counter[i];
  if (i == IDEM_COUNTER_ms_saved)
    print_metric("saved_seconds", "_total", "counter",
                 "seconds that the replayed calls took when they were live", (double)n / 1000);
  else if (i == IDEM_COUNTER_ms_would_save)
    print_metric("would_save_seconds", "_total", "counter", "observe mode: seconds that these calls took",
                 (double)n / 1000);
  else if (i == IDEM_COUNTER_bytes_saved)
    print_metric("saved_bytes", "_total", "counter", counters[i].help, (double)n);
  else
    print_metric(counters[i].name, "_total", "counter", counters[i].help, (double)n);
}

/* "" for the place of all that found no other. */
static const char *model_name(const struct stats *page, size_t i)
{
  return atomic_load(&page->model[i].place) == STATS_NAMED ? page->model[i].name : "";
}

/* The tokens of one model that `model` has: all of its places in the page, which may be two, or 0 if an
 * earlier one has told them. Tokens of no model, and of those that found no place, have the label "". */
static uint64_t tokens_of(const struct stats *page, size_t model, bool output)
{
  uint64_t sum = 0;
  const char *name = model_name(page, model);
  for (size_t i = 0; i < STATS_MODELS; i++) {
    if (!cli_labels_equal(model_name(page, i), name))
      continue;
    if (i < model)
      return 0;
    sum += atomic_load(output ? &page->model[i].output : &page->model[i].input);
  }
  return sum;
}

/* Counters, since the page only ever adds to them. They begin with the first call of observe mode. */
static void print_models(const struct stats *page, bool output)
{
  const char *name = output ? "output_tokens_would_save_by_model" : "input_tokens_would_save_by_model";
  bool begun = false;
  for (size_t i = 0; i < STATS_MODELS; i++) {
    uint64_t tokens = tokens_of(page, i, output);
    if (!tokens)
      continue;
    if (!begun)
      printf(
          "# HELP idemshim_%s_total observe mode: %s tokens of these answers, once for each key, by model\n"
          "# TYPE idemshim_%s_total counter\n",
          name, output ? "output" : "input", name);
    begun = true;
    printf("idemshim_%s_total{", name);
    cli_put_label("", "model", model_name(page, i));
    printf("} %" PRIu64 "\n", tokens);
  }
}

/* Counting began when the store was made. */
static int print_prometheus(const struct idem_stats *stats, struct idem_store *store,
                            const struct cli_money *money)
{
  for (unsigned i = 0; i < IDEM_COUNTER_COUNT; i++)
    print_counter(i, stats);
  for (size_t i = 0; i < GAUGE_COUNT; i++)
    print_metric(gauges[i].name, "", "gauge", gauges[i].help, (double)gauge(stats, i));
  print_models(store->stats, false);
  print_models(store->stats, true);
  print_metric("decisions", "_total", "counter",
               "calls that were not simply answered, or sent and stored; reasons are kept of the last 512",
               (double)atomic_load(&store->stats->decisions.next));
  print_metric("since_timestamp_seconds", "", "gauge", "when counting began", (double)stats->since_us / 1e6);
  puts("# HELP idemshim_build_info the version of the command that tells this\n# TYPE idemshim_build_info "
       "gauge\n"
       "idemshim_build_info{version=\"" IDEM_VERSION "\"} 1");
  cli_reasons_metrics(store);
  if (money)
    cli_money_metrics(money);
  return CLI_OK;
}

/* For people. */

/* Everything here is our own text, and the numbers stand below each other. */
static void amount(const char *label, const char *number, const char *help)
{
  printf("%s%-11s%s %14s  %s\n", cli_style(CLI_BOLD), label, cli_style(CLI_PLAIN), number, help);
}

/* A counter for people, with commas. */
static void count(const char *label, uint64_t n, const char *help)
{
  char text[CLI_UNIT_SIZE];
  amount(label, cli_count(text, n), help);
}

/* The five that are always of interest; the others are shown when they have happened. */
static void print_calls(const struct idem_stats *stats)
{
  char rate[CLI_UNIT_SIZE];
  static const bool shown_elsewhere[IDEM_COUNTER_COUNT] = {
      [IDEM_COUNTER_ms_saved] = true,
      [IDEM_COUNTER_bytes_saved] = true,
      [IDEM_COUNTER_input_tokens_saved] = true,
      [IDEM_COUNTER_output_tokens_saved] = true,
      [IDEM_COUNTER_would_hit] = true,
      [IDEM_COUNTER_ms_would_save] = true,
      [IDEM_COUNTER_input_tokens_would_save] = true,
      [IDEM_COUNTER_output_tokens_would_save] = true,
  };
  for (size_t i = 0; i < IDEM_COUNTER_COUNT; i++) {
    /* What was saved has units, and lines of its own. */
    if (shown_elsewhere[i] || (i > IDEM_COUNTER_stored && stats->counter[i] == 0))
      continue;
    count(counters[i].name, stats->counter[i], counters[i].help);
    if (i != IDEM_COUNTER_hits)
      continue;
    snprintf(rate, sizeof(rate), "%.1f %%", 100 * hit_rate(stats));
    amount("hit rate", rate, "of the calls");
  }
}

/* What people decide by whether to go on from observing. */
static void print_observed(const uint64_t *counter)
{
  char text[CLI_UNIT_SIZE];
  if (!counter[IDEM_COUNTER_would_hit])
    return;
  putchar('\n');
  count("would hit", counter[IDEM_COUNTER_would_hit],
        "calls of observe mode that would have been answered from the store");
  amount("time", cli_duration(text, counter[IDEM_COUNTER_ms_would_save]), "that these calls took");
  count("tokens in", counter[IDEM_COUNTER_input_tokens_would_save], "of their answers, once for each key");
  count("tokens out", counter[IDEM_COUNTER_output_tokens_would_save], "of their answers, once for each key");
}

/* What was called, what that saved, and how full the store is. */
static int print_text(const struct idem_stats *stats, struct idem_store *store, const struct cli_money *money)
{
  const uint64_t *counter = stats->counter;
  char since[CLI_UNIT_SIZE], ago[CLI_UNIT_SIZE], text[CLI_UNIT_SIZE], capacity[CLI_UNIT_SIZE];
  char share[CLI_UNIT_SIZE + 4];
  print_calls(stats);
  putchar('\n');
  count("duplicates", counter[IDEM_COUNTER_hits], "calls prevented: answered without going upstream");
  amount("time", cli_duration(text, counter[IDEM_COUNTER_ms_saved]),
         "saved: what these calls took when they were live");
  amount("bytes", cli_bytes(text, counter[IDEM_COUNTER_bytes_saved]), "replayed");
  count("tokens in", counter[IDEM_COUNTER_input_tokens_saved], "saved, once for each key");
  count("tokens out", counter[IDEM_COUNTER_output_tokens_saved], "saved, once for each key");
  print_observed(counter);
  putchar('\n');
  count("answers", stats->answers, "in the store");
  if (stats->old_answers)
    count("- of 0.1", stats->old_answers, "among them, never looked up: idemshim rm --old");
  snprintf(share, sizeof(share), "of %s", cli_bytes(capacity, stats->capacity));
  amount("size", cli_bytes(text, stats->answer_bytes), share);
  cli_reasons_print(store);
  if (money)
    cli_money_print(money);
  printf("\ncounted since %s (%s)\n", cli_time(since, stats->since_us), cli_ago(ago, stats->since_us));
  return CLI_OK;
}

/* What is counted meanwhile is counted from zero. Which answers have been replayed stays known: their
 * tokens are saved once. */
static int zero(struct idem_store *store)
{
  char path[4096];
  struct stats *page;
  snprintf(path, sizeof(path), "%s/" STATS_FILE, store->dir);
  int result = stats_open(&page, path);
  if (result < 0)
    return cli_fail(CLI_STORE, "%s: %s", path, strerror(-result));
  for (size_t i = 0; i < STATS_SHARDS; i++)
    for (size_t j = 0; j < STATS_COUNTERS; j++)
      atomic_store_explicit(&page->shard[i].counter[j], 0, memory_order_relaxed);
  for (size_t i = 0; i < STATS_MODELS; i++) {
    atomic_store(&page->model[i].input, 0);
    atomic_store(&page->model[i].output, 0);
  }
  page->since_us = cli_now_us();
  stats_close(page);
  puts("counting from zero again");
  return CLI_OK;
}

static int stats(const struct cli_options *options, struct idem_store *store, char **operands)
{
  struct idem_stats stats;
  struct idem_error error = {""};
  const char *prices = cli_prices_file(options->prices);
  struct cli_money found, *money = prices ? &found : NULL;
  (void)operands;
  if (options->zero)
    return zero(store);
  if (idem_store_stats(store, &stats, &error) < 0)
    return cli_fail(CLI_STORE, "%s", error.text);
  /* Every answer is read for it, which the rest of this command never does. */
  int code = money ? cli_money_of_store(store, prices, money) : CLI_OK;
  if (code != CLI_OK)
    return code;
  return options->json         ? print_stats_json(&stats, store, money)
         : options->prometheus ? print_prometheus(&stats, store, money)
                               : print_text(&stats, store, money);
}

const struct cli_command cli_command_stats = {
    .name = "stats",
    .operands = "",
    .summary = "what was saved: calls, hits, time, tokens, and what the store holds",
    .options =
        CLI_OPTIONS(CLI_OPTION_JSON,
                    CLI_OPTION("prometheus", NULL, CLI_FLAG, prometheus, "print the Prometheus text format"),
                    CLI_OPTION_PRICES, CLI_OPTION("zero", NULL, CLI_FLAG, zero, "count from zero again"),
                    CLI_OPTION_OUTPUT, CLI_OPTION_STORE),
    .only_reads = true,
    .public = true,
    .on_store = stats,
};
