/* SPDX-License-Identifier: MIT */
#include "config/ascii.h"
#include "config/host.h"
#include "config/rules.h"

#include <errno.h>
#include <string.h>

static bool is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "a, b": white space around a comma is no part of a host. */
static struct idem_value trim(struct idem_value item)
{
  size_t first = 0, end = item.len;

  while (first < end && is_blank(item.data[first]))
    first++;
  while (end > first && is_blank(item.data[end - 1]))
    end--;
  return idem_value_part(&item, first, end);
}

static int add_host(struct idem_draft *draft, struct idem_value *item)
{
  struct idem_rule *rule;

  if ((size_t)item->place.number > IDEM_RULES_MAX)
    return idem_place_fail(&item->place, "expected at most %zu hosts", IDEM_RULES_MAX);
  rule = idem_draft_add(draft, item->place.where, item->place.number);
  return rule ? idem_host_parse(item, &rule->host, &rule->port) : -ENOMEM;
}

int idem_hosts_parse(struct idem_draft *draft, const char *origin, const char *hosts)
{
  struct idem_value list = {
      .data = hosts,
      .len = strlen(hosts),
      .place = {.where = origin, .noun = "host", .column = 1, .error = draft->error},
      .arena = draft->arena,
  };
  int result = 0;

  for (size_t first = 0; result == 0 && first <= list.len;) {
    const char *comma = strchr(hosts + first, ',');
    size_t end = comma ? (size_t)(comma - hosts) : list.len;
    struct idem_value item = trim(idem_value_part(&list, first, end));
    item.place.number = ++list.place.number;
    result = add_host(draft, &item);
    first = end + 1;
  }
  return result;
}
