/* SPDX-License-Identifier: MIT */
/*
 * The rules of a config while it is being read: a list that grows, from three sources that follow each other.
 *
 *     struct idem_draft draft;
 *     idem_draft_init(&draft, &arena, &error);
 *     idem_rules_parse(&draft, &text);              IDEMSHIM_RULES, or the file that it names
 *     idem_hosts_parse(&draft, origin, hosts);      IDEMSHIM_HOSTS
 *     if (draft.count == 0)
 *       idem_builtin_add(&draft);                   neither: the LLM hosts that we know
 *
 * All functions return 0, or -EINVAL / -ENOMEM with the message set. What they allocate comes from the arena.
 */
#ifndef IDEMSHIM_RULES_H
#define IDEMSHIM_RULES_H

#include "config/arena.h"
#include "config/config.h"
#include "config/value.h"

/* More rules than any host list needs; each costs every call a little. */
#define IDEM_RULES_MAX ((size_t)1000)

/* The list and what its rules start from. It has nothing to release: the arena has everything. */
struct idem_draft {
  struct idem_arena *arena;
  struct idem_error *error;
  struct idem_rule defaults; /* what every rule starts from */
  struct idem_rule *rules;
  size_t count, room;
};

int idem_draft_init(struct idem_draft *draft, struct idem_arena *arena, struct idem_error *error);

/* Makes room for `room` rules, at least as many as there are. */
int idem_draft_reserve(struct idem_draft *draft, size_t room);

/* A new last rule, with the defaults; NULL with the message set if there is no memory. */
struct idem_rule *idem_draft_add(struct idem_draft *draft, const char *origin, int number);

/* Rules in the grammar. `origin` names the text in messages; `in_lines`: they also tell the line. */
struct idem_rules_text {
  const char *origin;
  const char *data;
  size_t len;
  bool in_lines;
};
int idem_rules_parse(struct idem_draft *draft, const struct idem_rules_text *text);

/* Host globs with commas between them, each a rule with the defaults. */
int idem_hosts_parse(struct idem_draft *draft, const char *origin, const char *hosts);

/* The LLM hosts that we know. */
int idem_builtin_add(struct idem_draft *draft);

/* The built-in rules of a host that is built in, under the name and port that it is written with. 1: they
 * were added, 0: it is not built in. */
int idem_builtin_add_host(struct idem_draft *draft, const struct idem_value *host, const char *origin);

#endif
