/* SPDX-License-Identifier: MIT */
#include "shim/engine/budget.h"

#include "shim/runtime/process.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

#include <string.h>

/* Calls of each rule are counted for themselves. The shared page has one table for all runs, so run and
 * rule become one number. It is never 0, which is no run. */
static uint64_t run_of(const struct idem_rule *rule)
{
  uint64_t run = settings()->run ? settings()->run : process_run();
  return (run ^ (uint64_t)rule->number * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

static void refuse(struct request *request, const char *what, unsigned long long most, const char *field)
{
  const struct idem_rule *rule = request->rule;
  report_count(IDEM_COUNTER_over_budget);
  request_event(request, "over_budget", what, 0, -1);
  if (report_first(rule, ONCE_BUDGET))
    report_line_to_stderr(
        "the run has used up the %llu %.*s that %s= of the rule host=%s gives it%s", most,
        (int)strlen(what) - (most == 1), what, field, rule->host,
        settings()->mode == IDEM_MODE_OBSERVE ? "" : "; further calls are answered with 429 and not sent");
}

/* `op.run` tells the store to whom it is to add the answer's tokens; 0: to nobody. */
bool budget_is_spent(struct request *request)
{
  const struct idem_rule *rule = request->rule;
  request->op.run = 0;
  if (!request->api || (rule->budget.calls == IDEM_NO_BUDGET && rule->budget.tokens == IDEM_NO_BUDGET))
    return false;
  request->op.run = run_of(rule);
  const char *what = request->api->spend(request->store, request->op.run, &rule->budget);
  if (!what)
    return false;
  refuse(request, what, what[0] == 'c' ? rule->budget.calls : rule->budget.tokens, "budget");
  return true;
}

bool budget_is_repeated(struct request *request)
{
  const struct idem_rule *rule = request->rule;
  const struct idem_budget most = {rule->max_repeats, IDEM_NO_BUDGET};
  uint64_t content;
  if (rule->max_repeats == IDEM_NO_BUDGET || !request->api)
    return false;
  memcpy(&content, request->op.fingerprint, sizeof(content));
  if (!request->api->spend(request->store, (run_of(rule) ^ content) | 1, &most))
    return false;
  refuse(request, "repeats", rule->max_repeats, "max_repeats");
  return true;
}
