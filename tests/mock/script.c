/* SPDX-License-Identifier: MIT */
#include "tests/mock/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUMBER, STATUS, FAILURES, WORD, TEXT };

struct field {
  const char *name;
  enum kind kind;
  size_t at;            /* offset in struct script */
  const char *words[3]; /* WORD: what is allowed; the first is stored as 1 */
  size_t size;          /* TEXT */
};

static const struct field fields[] = {
    {"latency_ms", NUMBER, offsetof(struct script, latency_ms), {NULL}, 0},
    {"status", STATUS, offsetof(struct script, status), {NULL}, 0},
    {"fail_first", FAILURES, offsetof(struct script, fail_count), {NULL}, 0},
    {"reset", WORD, offsetof(struct script, reset), {"headers", "body", "reused"}, 0},
    {"stall_ms", NUMBER, offsetof(struct script, stall_ms), {NULL}, 0},
    {"truncate", NUMBER, offsetof(struct script, truncate), {NULL}, 0},
    {"error_event", NUMBER, offsetof(struct script, error_event), {NULL}, 0},
    {"size", NUMBER, offsetof(struct script, size), {NULL}, 0},
    {"events", NUMBER, offsetof(struct script, events), {NULL}, 0},
    {"chunk", NUMBER, offsetof(struct script, chunk), {NULL}, 0},
    {"chunk_delay_ms", NUMBER, offsetof(struct script, chunk_delay_ms), {NULL}, 0},
    {"hold", NUMBER, offsetof(struct script, hold), {NULL}, 0},
    {"gate", TEXT, offsetof(struct script, gate), {NULL}, sizeof(((struct script *)0)->gate)},
    {"gate_first", NUMBER, offsetof(struct script, gate_first), {NULL}, 0},
    {"still", NUMBER, offsetof(struct script, still), {NULL}, 0},
    {"length", WORD, offsetof(struct script, ends_by_close), {"close", NULL}, 0},
    {"encoding", WORD, offsetof(struct script, gzip), {"gzip", NULL}, 0},
    {"marks", NUMBER, offsetof(struct script, marks), {NULL}, 0},
    {"cookie", NUMBER, offsetof(struct script, cookie), {NULL}, 0},
    {"redirect", TEXT, offsetof(struct script, redirect), {NULL}, sizeof(((struct script *)0)->redirect)},
    {"row", TEXT, offsetof(struct script, row), {NULL}, sizeof(((struct script *)0)->row)},
    {"case", TEXT, offsetof(struct script, which), {NULL}, sizeof(((struct script *)0)->which)},
    {"informational", NUMBER, offsetof(struct script, informational), {NULL}, 0},
    {"honour_key", NUMBER, offsetof(struct script, honour_key), {NULL}, 0},
    {"echo", NUMBER, offsetof(struct script, echo), {NULL}, 0},
};

static const struct field *field_named(const char *name)
{
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    if (!strcmp(fields[i].name, name))
      return &fields[i];
  return NULL;
}

static bool number(const char *text, uint64_t *out)
{
  char *end;

  if (*text < '0' || *text > '9')
    return false;
  errno = 0;
  *out = strtoull(text, &end, 10);
  return !errno && !*end;
}

static bool status(const char *text, uint64_t *out)
{
  return number(text, out) && *out >= 300 && *out <= 599;
}

static bool failures(const char *text, struct script *script)
{
  char count[24];
  const char *colon = strchr(text, ':');

  if (!colon || (size_t)(colon - text) >= sizeof count)
    return false;
  memcpy(count, text, (size_t)(colon - text));
  count[colon - text] = 0;
  return number(count, &script->fail_count) && status(colon + 1, &script->fail_status);
}

static bool word(const struct field *field, const char *text, uint64_t *out)
{
  for (size_t i = 0; i < 3 && field->words[i]; i++) {
    if (!strcmp(field->words[i], text)) {
      *out = i + 1;
      return true;
    }
  }
  return false;
}

static bool assign(const struct field *field, const char *value, struct script *script)
{
  void *at = (char *)script + field->at;

  switch (field->kind) {
  case NUMBER:
    return number(value, at);
  case STATUS:
    return status(value, at);
  case FAILURES:
    return failures(value, script);
  case WORD:
    return word(field, value, at);
  case TEXT:
    return (size_t)snprintf(at, field->size, "%s", value) < field->size;
  }
  return false;
}

static bool parse_item(struct script *script, char *item, char *complaint, size_t size)
{
  char *equals = strchr(item, '=');
  const struct field *field;

  if (!equals) {
    snprintf(complaint, size, "mock: expected name=value, found '%s'", item);
    return false;
  }
  *equals = 0;
  field = field_named(item);
  if (!field)
    snprintf(complaint, size, "mock: unknown name '%s'", item);
  else if (!assign(field, equals + 1, script))
    snprintf(complaint, size, "mock: bad value '%s' for %s", equals + 1, item);
  else
    return true;
  return false;
}

bool script_parse(struct script *script, const char *text, char *complaint, size_t size)
{
  char copy[1024], *place, *item;

  if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy) {
    snprintf(complaint, size, "mock: more than %zu bytes", sizeof copy - 1);
    return false;
  }
  for (item = strtok_r(copy, ",", &place); item; item = strtok_r(NULL, ",", &place)) {
    while (*item == ' ')
      item++;
    if (*item && !parse_item(script, item, complaint, size))
      return false;
  }
  return true;
}
