/* SPDX-License-Identifier: MIT */
/* The list of rules that grows, and two of its sources: the grammar, and plain lists of hosts. */
#include "config/rules.h"

#include "config/ascii.h"
#include "config/field.h"

#include <errno.h>
#include <string.h>

/* Every rule starts as a copy of the defaults, which are parsed once. */
int idem_draft_init(struct idem_draft *draft, struct idem_arena *arena, struct idem_error *error)
{
  *draft = (struct idem_draft){.arena = arena, .error = error};
  return idem_rule_default(&draft->defaults, arena, error);
}

/* The old list stays in the arena until the end; doubling keeps that small. */
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

/* The pointer is valid until the next one is added. */
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

/* The grammar: name=value fields, rules parted by ; or newlines, # comments. */

/* A reader over one text. It stops at the first mistake: what follows it would be guesses. Everything in it
 * is borrowed: the text from the caller, the rule from the draft. */
struct reader {
  struct idem_draft *draft;
  const struct idem_rules_text *text;
  const char *at, *end, *line_start;
  struct idem_place place; /* of `at`, once set by here() */
  struct idem_rule *rule;  /* the one being read; NULL between rules */
  size_t rule_column;
  uint32_t seen; /* one bit for each field that the rule has */
};

_Static_assert(IDEM_FIELD_COUNT <= 32, "reader.seen has a bit for each field");

/* The place of any byte on the current line. */
static const struct idem_place *here(struct reader *r, const char *at)
{
  r->place.column = (size_t)(at - r->line_start) + 1;
  return &r->place;
}

/* White space within a line; a newline ends a rule. */
static bool is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\r';
}

/* Words end at white space, at ; and at the end. */
static bool ends_word(const struct reader *r, const char *at)
{
  return at == r->end || is_blank(*at) || *at == ';' || *at == '\n';
}

/* The first field of a rule makes it, so that a lone ; is none. */
static int begin_rule(struct reader *r)
{
  r->place.number++;
  here(r, r->at);
  if ((size_t)r->place.number > IDEM_RULES_MAX)
    return idem_place_fail(&r->place, "expected at most %zu rules", IDEM_RULES_MAX);
  r->rule = idem_draft_add(r->draft, r->text->origin, r->place.number);
  r->rule_column = r->place.column;
  r->seen = 0;
  return r->rule ? 0 : -ENOMEM;
}

/* A rule without a host would be for every host there is, and nobody means that by leaving it
 * out. */
static int end_rule(struct reader *r)
{
  struct idem_rule *rule = r->rule;

  r->rule = NULL;
  if (!rule)
    return 0;
  if (!(r->seen & UINT32_C(1) << IDEM_FIELD_host)) {
    r->place.column = r->rule_column;
    return idem_place_fail(&r->place, "expected a host= in this rule, such as host=api.openai.com or host=*");
  }
  return idem_rule_name_keying(rule, r->draft->arena, r->draft->error);
}

/* Most often a NUL or an escape that came in by copy and paste. */
static int refuse_control(struct reader *r, const char *at)
{
  return idem_place_fail(here(r, at), "expected text, not the control character %s", IDEM_QUOTE(at, 1));
}

/* A name up to '='. Gives the field's index. */
static int read_name(struct reader *r, size_t *index)
{
  const char *name = r->at;

  while (!ends_word(r, r->at) && *r->at != '=') {
    if (idem_is_control(*r->at))
      return refuse_control(r, r->at);
    r->at++;
  }
  size_t len = (size_t)(r->at - name);
  *index = idem_field_find(name, len);
  if (r->at == r->end || *r->at != '=')
    return idem_place_fail(here(r, name), "expected name=value without white space around =, not %s",
                           IDEM_QUOTE(name, len));
  if (*index == IDEM_FIELD_COUNT)
    return idem_place_fail(here(r, name), "unknown field %s%s", IDEM_QUOTE(name, len),
                           idem_field_suggest(&(struct idem_quoted){{0}}, name, len));
  if (r->seen & UINT32_C(1) << *index)
    return idem_place_fail(here(r, name), "field %s stands twice in this rule", idem_fields[*index].name);
  r->seen |= UINT32_C(1) << *index;
  r->at++;
  return 0;
}

/* "..." or '...': there is no escape, the other quote is for a value that has one. */
static int read_quoted(struct reader *r, struct idem_value *value)
{
  const char *open = r->at, *line_end = memchr(open, '\n', (size_t)(r->end - open));
  size_t rest = (size_t)((line_end ? line_end : r->end) - open) - 1;
  const char *close = memchr(open + 1, *open, rest);

  if (!close)
    return idem_place_fail(here(r, open), "expected a closing %c on the same line", *open);
  for (const char *c = open + 1; c < close; c++)
    if (idem_is_control(*c))
      return refuse_control(r, c);
  r->at = close + 1;
  if (!ends_word(r, r->at))
    return idem_place_fail(here(r, r->at), "expected white space or ; after the closing %c", *open);
  value->data = open + 1;
  value->len = (size_t)(close - value->data);
  return 0;
}

/* Quotes and # inside of a bare value are refused rather than taken literally: they are nearly
 * always a mistake. */
static int read_bare(struct reader *r, struct idem_value *value)
{
  value->data = r->at;
  for (; !ends_word(r, r->at); r->at++) {
    if (idem_is_control(*r->at))
      return refuse_control(r, r->at);
    if (*r->at == '#')
      return idem_place_fail(here(r, r->at),
                             "expected white space before a # comment, or quotes round a value with #");
    if (*r->at == '"' || *r->at == '\'')
      return idem_place_fail(here(r, r->at), "expected quotes round the whole value, right after =");
  }
  value->len = (size_t)(r->at - value->data);
  return 0;
}

/* With its place, for whatever the field's parser has to say of it. */
static int read_value(struct reader *r, struct idem_value *value)
{
  bool quoted = r->at < r->end && (*r->at == '"' || *r->at == '\'');
  int result = quoted ? read_quoted(r, value) : read_bare(r, value);

  if (result < 0)
    return result;
  value->place = *here(r, value->data);
  value->arena = r->draft->arena;
  if (value->len > IDEM_VALUE_MAX)
    return idem_place_fail(&value->place, "expected at most %zu bytes, not %zu", IDEM_VALUE_MAX, value->len);
  return 0;
}

/* name=value: found in the table, read, and given to the field's own parser. */
static int read_field(struct reader *r)
{
  struct idem_value value;
  size_t index = IDEM_FIELD_COUNT;
  int result = r->rule ? 0 : begin_rule(r);

  if (result == 0)
    result = read_name(r, &index);
  if (result < 0)
    return result;
  const struct idem_field *field = &idem_fields[index];
  r->place.field = field->name;
  result = read_value(r, &value);
  if (result == 0)
    result = field->parse(field, &value, r->rule);
  r->place.field = NULL;
  return result;
}

/* One field, one separator, one comment or one blank. */
static int read_next(struct reader *r)
{
  const char *line_end = memchr(r->at, '\n', (size_t)(r->end - r->at));
  int result = 0;

  if (*r->at == '#') {
    r->at = line_end ? line_end : r->end;
  } else if (is_blank(*r->at)) {
    r->at++;
  } else if (*r->at != ';' && *r->at != '\n') {
    result = read_field(r);
  } else {
    result = end_rule(r);
    if (r->at++ == line_end) {
      r->line_start = r->at;
      r->place.line += r->text->in_lines;
    }
  }
  return result;
}

/* An empty text is a mistake: whoever sets the variable means something by it. */
int idem_rules_parse(struct idem_draft *draft, const struct idem_rules_text *text)
{
  struct reader r = {
      .draft = draft,
      .text = text,
      .at = text->data,
      .end = text->data + text->len,
      .line_start = text->data,
      .place = {.where = text->origin, .line = text->in_lines, .noun = "rule", .error = draft->error},
  };
  int result = 0;

  while (result == 0 && r.at < r.end)
    result = read_next(&r);
  if (result == 0)
    result = end_rule(&r);
  if (result == 0 && r.place.number == 0)
    return idem_error_set(draft->error, -EINVAL,
                          "%s: expected at least one rule, such as host=api.openai.com", text->origin);
  return result;
}

/* Those that are built in have their built-in rules; each other one the default treatment. Numbered, so that
 * a message can say which one is wrong. */
int idem_hosts_parse(struct idem_draft *draft, const char *origin, const char *hosts)
{
  struct idem_value list = {
      .data = hosts,
      .len = strlen(hosts),
      .place = {.where = origin, .noun = "host", .column = 1, .error = draft->error},
      .arena = draft->arena,
  };
  struct idem_value item;
  int result = 0;

  for (size_t at = 0; result == 0 && idem_value_item(&list, &at, &item);) {
    size_t first = 0, end = item.len;
    /* "a, b": white space around a comma is no part of a host. */
    while (first < end && strchr(" \t\r\n", item.data[first]))
      first++;
    while (end > first && strchr(" \t\r\n", item.data[end - 1]))
      end--;
    item = idem_value_part(&item, first, end);
    item.place.number = ++list.place.number;
    if ((size_t)item.place.number > IDEM_RULES_MAX)
      return idem_place_fail(&item.place, "expected at most %zu hosts", IDEM_RULES_MAX);
    result = idem_builtin_add_host(draft, &item, origin);
    /* 1: it has its built-in rules. Negative: a mistake, which ends the loop. */
    if (result != 0) {
      result = result < 0 ? result : 0;
      continue;
    }
    struct idem_rule *rule = idem_draft_add(draft, origin, item.place.number);
    result = rule ? idem_host_parse(&item, &rule->host, &rule->port) : -ENOMEM;
  }
  return result;
}
