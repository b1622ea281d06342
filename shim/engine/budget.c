/* SPDX-License-Identifier: MIT */
#include "shim/engine/budget.h"

#include "shim/request/request_event.h"
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

static void refuse(struct request *request, const char *what, uint64_t most, const char *field)
{
  const struct idem_rule *rule = request->rule;
  char amount[IDEM_DOLLARS_SIZE + 32] = "$";
  if (*what == 'd')
    idem_format_dollars(most, amount + 1);
  else
    snprintf(amount, sizeof(amount), "%llu %.*s", (unsigned long long)most, (int)strlen(what) - (most == 1),
             what);
  report_count(IDEM_COUNTER_over_budget);
  request_event(request, "over_budget", what, 0, -1);
  if (report_first(rule, ONCE_BUDGET))
    report_line_to_stderr(
        "the run has used up the %s that %s= of the rule host=%s gives it%s", amount, field, rule->host,
        settings()->mode == IDEM_MODE_OBSERVE ? "" : "; further calls are answered with 429 and not sent");
}

/* `op.run` tells the store to whom it is to add the answer's tokens; 0: to nobody. */
bool budget_is_spent(struct request *request)
{
  const struct idem_rule *rule = request->rule;
  request->op.run = 0;
  const struct idem_budget *budget = &rule->budget;
  if (!request->api || (budget->calls == IDEM_NO_BUDGET && budget->tokens == IDEM_NO_BUDGET &&
                        budget->nano_dollars == IDEM_NO_BUDGET))
    return false;
  request->op.run = run_of(rule);
  const char *what = request->api->spend(request->store, request->op.run, budget);
  if (!what)
    return false;
  refuse(request, what,
         *what == 'c'   ? budget->calls
         : *what == 't' ? budget->tokens
                        : budget->nano_dollars,
         "budget");
  return true;
}

void budget_report(const struct request *request)
{
  if (*request->op.uncounted && report_first(request->rule, ONCE_UNCOUNTED))
    report_line_to_stderr("budget= of the rule host=%s does not count some answers: %s", request->rule->host,
                          request->op.uncounted);
}

bool budget_is_repeated(struct request *request)
{
  const struct idem_rule *rule = request->rule;
  const struct idem_budget most = {rule->max_repeats, IDEM_NO_BUDGET, IDEM_NO_BUDGET};
  uint64_t content;
  if (rule->max_repeats == IDEM_NO_BUDGET || !request->api)
    return false;
  memcpy(&content, request->op.fingerprint, sizeof(content));
  if (!request->api->spend(request->store, (run_of(rule) ^ content) | 1, &most))
    return false;
  refuse(request, "repeats", rule->max_repeats, "max_repeats");
  return true;
}
