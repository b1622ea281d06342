/* SPDX-License-Identifier: MIT */
/* Whether two rules say the same, wherever they come from; NULL if so, else the field in which they differ.
 */
#ifndef TESTS_CONFIG_EQUAL_H
#define TESTS_CONFIG_EQUAL_H

#include "config/config.h"

#include <string.h>

static inline bool same_text(const char *a, const char *b)
{
  return a && b ? !strcmp(a, b) : a == b;
}

static inline bool same_words(const struct idem_words *a, const struct idem_words *b)
{
  if (a->count != b->count)
    return false;
  for (size_t i = 0; i < a->count; i++)
    if (strcmp(a->word[i], b->word[i]) != 0)
      return false;
  return true;
}

static inline bool same_statuses(const struct idem_rule *a, const struct idem_rule *b)
{
  if (a->status_count != b->status_count)
    return false;
  for (size_t i = 0; i < a->status_count; i++)
    if (a->status[i].first != b->status[i].first || a->status[i].last != b->status[i].last)
      return false;
  return true;
}

static inline const char *rules_differ(const struct idem_rule *a, const struct idem_rule *b)
{
  const struct {
    const char *field;
    bool same;
  } checks[] = {
      {"host", same_text(a->host, b->host) && a->port == b->port},
      {"method", same_words(&a->methods, &b->methods)},
      {"path", same_text(a->path, b->path)},
      {"action", a->action == b->action},
      {"ttl", a->ttl_ms == b->ttl_ms},
      {"key", a->keying.kind == b->keying.kind && same_words(&a->keying.pointers, &b->keying.pointers)},
      {"header", same_words(&a->keying.headers, &b->keying.headers)},
      {"vary", same_words(&a->keying.vary, &b->keying.vary)},
      {"ignore", same_words(&a->keying.ignore, &b->keying.ignore)},
      {"tenant",
       a->keying.tenant == b->keying.tenant && same_words(&a->keying.tenant_of, &b->keying.tenant_of)},
      {"trust", a->trust == b->trust},
      {"canonical", same_text(a->keying.canonical, b->keying.canonical)},
      {"repeats", a->repeats == b->repeats},
      {"mismatch", a->mismatch == b->mismatch},
      {"status", same_statuses(a, b)},
      {"inject", same_text(a->inject, b->inject) && a->inject_auto == b->inject_auto},
      {"wait", a->wait_ms == b->wait_ms},
      {"rescue", a->rescue_ms == b->rescue_ms},
      {"keepalive", a->keepalive_ms == b->keepalive_ms},
      {"guard", a->guard == b->guard},
      {"indoubt", a->indoubt == b->indoubt},
      {"churn", a->churn == b->churn},
      {"pace", a->pace == b->pace},
      {"redact", same_words(&a->redact, &b->redact)},
      {"mark", a->mark == b->mark},
      {"max_body", a->max_body == b->max_body && a->max_answer == b->max_answer},
      {"truncated", a->truncated == b->truncated},
      {"access", a->access == b->access},
      {"ignore_cache_control", a->ignore_cache_control == b->ignore_cache_control},
  };

  for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
    if (!checks[i].same)
      return checks[i].field;
  return NULL;
}

#endif
