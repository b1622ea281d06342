/* SPDX-License-Identifier: MIT */
#include "cli/commands/reasons.h"

#include "cli/output/json.h"
#include "cli/output/label.h"
#include "cli/output/text.h"
#include "cli/view/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often each event came with each reason; for metrics, of each host and rule. `first` is the newest of
 * those that a row counts. The store keeps 512 decisions; the last row is for all that find no other. */
enum { REASONS_MOST = 64 };
struct reason {
  struct idem_decision first;
  char host[sizeof(((struct idem_decision *)0)->origin)], rule[64];
  unsigned count;
};
struct reasons {
  const struct idem_config *config; /* NULL: hosts and rules are not told apart */
  struct reason at[REASONS_MOST];
  size_t count;
};

/* An encrypted store keeps no addresses. */
static void place(const struct idem_config *config, struct reason *reason)
{
  char url[sizeof(reason->first.origin) + sizeof(reason->first.path)];
  struct idem_target target = {.method = reason->first.method, .method_len = strlen(reason->first.method)};
  snprintf(url, sizeof(url), "%s%s", reason->first.origin, reason->first.path);
  if (!*url || cli_url_parse(url, &target, NULL) < 0)
    return;
  const struct idem_rule *rule = idem_config_match(config, &target);
  bool usual = target.port == 443 || target.port == 80;
  snprintf(reason->host, sizeof(reason->host), usual ? "%.*s" : "%.*s:%u", (int)target.host_len, target.host,
           target.port);
  if (rule)
    snprintf(reason->rule, sizeof(reason->rule), "%s %d", rule->origin, rule->number);
}

static bool same(const struct reason *a, const struct reason *b)
{
  return cli_labels_equal(a->first.event, b->first.event) &&
         cli_labels_equal(a->first.reason, b->first.reason) && cli_labels_equal(a->host, b->host) &&
         cli_labels_equal(a->rule, b->rule);
}

/* For idem_store_decisions(); 0 goes on. What was noted without a reason is passed over. */
static int add(void *arg, const struct idem_decision *decision)
{
  struct reasons *reasons = arg;
  struct reason reason = {.first = *decision};
  size_t i = 0;
  if (!*decision->reason)
    return 0;
  if (reasons->config)
    place(reasons->config, &reason);
  while (i < reasons->count && !same(&reasons->at[i], &reason))
    i++;
  if (i == REASONS_MOST)
    i--;
  else if (i == reasons->count)
    reasons->at[reasons->count++] =
        i < REASONS_MOST - 1 ? reason : (struct reason){.first = {.event = "other", .reason = "any other"}};
  reasons->at[i].count++;
  return 0;
}

static int by_count(const void *a, const void *b)
{
  const struct reason *x = a, *y = b;
  return (x->count < y->count) - (x->count > y->count);
}

/* The most frequent first. */
static void find(struct idem_store *store, struct reasons *reasons)
{
  idem_store_decisions(store, add, reasons);
  qsort(reasons->at, reasons->count, sizeof(reasons->at[0]), by_count);
}

void cli_reasons_print(struct idem_store *store)
{
  struct reasons reasons = {.count = 0};
  char line[200];
  find(store, &reasons);
  if (reasons.count)
    puts("\nreasons, of the last 512 decisions (idemshim explain --recent):");
  for (size_t i = 0; i < reasons.count; i++) {
    printf("%6u  ", reasons.at[i].count);
    snprintf(line, sizeof(line), "%s: %s", reasons.at[i].first.event, reasons.at[i].first.reason);
    cli_put_line(stdout, line, strlen(line), CLI_UNCUT);
    putchar('\n');
  }
}

json_t *cli_reasons_json(struct idem_store *store)
{
  struct reasons reasons = {.count = 0};
  json_t *list = json_array();
  find(store, &reasons);
  for (size_t i = 0; i < reasons.count; i++)
    json_array_append_new(list, json_pack("{s:s, s:o, s:i}", "event", reasons.at[i].first.event, "reason",
                                          cli_json_string(reasons.at[i].first.reason), "count",
                                          (int)reasons.at[i].count));
  return list;
}

/* A gauge: the ring forgets. A mistake in the rules does not hide the store, so there is then no rule. */
void cli_reasons_metrics(struct idem_store *store)
{
  struct idem_config config;
  if (idem_config_load(&config, getenv, NULL) < 0)
    config = (struct idem_config){.mode = IDEM_MODE_OFF};
  struct reasons reasons = {.config = &config};
  find(store, &reasons);
  if (reasons.count)
    puts("# HELP idemshim_recent_decisions why calls were sent, left alone or not stored, of the last 512 "
         "decisions\n"
         "# TYPE idemshim_recent_decisions gauge");
  for (size_t i = 0; i < reasons.count; i++) {
    const struct reason *reason = &reasons.at[i];
    const char *const labels[] = {"event", reason->first.event, "host",   reason->host,
                                  "rule",  reason->rule,        "reason", reason->first.reason};
    fputs("idemshim_recent_decisions{", stdout);
    for (size_t j = 0; j < sizeof(labels) / sizeof(labels[0]); j += 2)
      cli_put_label(j ? "," : "", labels[j], labels[j + 1]);
    printf("} %u\n", reason->count);
  }
  idem_config_release(&config);
}
