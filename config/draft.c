/* SPDX-License-Identifier: MIT */
#include "config/field.h"
#include "config/rules.h"

#include <errno.h>
#include <string.h>

int idem_draft_init(struct idem_draft *draft, struct idem_arena *arena, struct idem_error *error)
{
  *draft = (struct idem_draft){.arena = arena, .error = error};
  return idem_rule_default(&draft->defaults, arena, error);
}

int idem_draft_reserve(struct idem_draft *draft, size_t room)
{
  struct idem_rule *rules = idem_arena_alloc(draft->arena, room * sizeof *rules);

  if (!rules)
    return idem_error_set(draft->error, -ENOMEM, "rules: out of memory");
  if (draft->count)
    memcpy(rules, draft->rules, draft->count * sizeof *rules);
  draft->rules = rules;
  draft->room = room;
  return 0;
}

struct idem_rule *idem_draft_add(struct idem_draft *draft, const char *origin, int number)
{
  if (draft->count == draft->room && idem_draft_reserve(draft, draft->room ? 2 * draft->room : 8) < 0)
    return NULL;
  struct idem_rule *rule = &draft->rules[draft->count++];
  *rule = draft->defaults;
  rule->origin = origin;
  rule->number = number;
  return rule;
}
