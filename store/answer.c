/* SPDX-License-Identifier: MIT */
#include "store/answer.h"

static bool status_accepted(const struct idem_rule *rule, int status)
{
  for (size_t i = 0; i < rule->status_count; i++)
    if (status >= rule->status[i].first && status <= rule->status[i].last)
      return true;
  return false;
}

bool answer_judge(const struct idem_rule *rule, const struct idem_recording *recording,
                  struct answer_facts *facts, struct idem_error *why)
{
  *facts = (struct answer_facts){
      .usage = {-1, -1}
  };
  if (status_accepted(rule, recording->status))
    return true;
  idem_error_set(why, 0, "status %d is not an answer", recording->status);
  return false;
}
