/* SPDX-License-Identifier: MIT */
#include "shim/engine/budget.h"

#include "shim/runtime/process.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

/* Calls of each rule are counted for themselves. */
static uint64_t run_of(const struct idem_rule *rule)
{
  uint64_t run = settings()->run ? settings()->run : process_run();
  return (run ^ (uint64_t)rule->number * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

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
  report_count(IDEM_COUNTER_over_budget);
  request_event(request, "over_budget", what, 0, -1);
  if (report_first(rule, ONCE_BUDGET))
    report_line_to_stderr(
        "the run has used up the %llu %s that budget= of the rule host=%s gives it%s",
        (unsigned long long)(what[0] == 'c' ? rule->budget.calls : rule->budget.tokens), what, rule->host,
        settings()->mode == IDEM_MODE_OBSERVE ? "" : "; further calls are answered with 429 and not sent");
  return true;
}
