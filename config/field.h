/* SPDX-License-Identifier: MIT */
/*
 * The fields of a rule. `idem_fields` has one entry for each entry of `idem_field_docs`, in the same order; a
 * field's default is its documented fallback, read by the field's own parser.
 */
#ifndef IDEMSHIM_FIELD_H
#define IDEMSHIM_FIELD_H

#include "config/text.h"
#include "config/value.h"

struct idem_field {
  const char *name;
  int (*parse)(const struct idem_field *field, const struct idem_value *value, struct idem_rule *rule);
  void (*format)(const struct idem_field *field, const struct idem_rule *rule, struct idem_text *text);
  size_t offset;            /* of the member that it fills */
  const char *const *words; /* of a choice, in the order of its enum */
};

enum {
#define X(name, values, fallback, type, member, words, help) IDEM_FIELD_##name,
#include "config/fields.def"
#undef X
  IDEM_FIELD_COUNT
};

extern const struct idem_field idem_fields[IDEM_FIELD_COUNT];

/* The index of a field, or IDEM_FIELD_COUNT. */
size_t idem_field_find(const char *name, size_t len);

/* As IDEM_SUGGEST(), over the names of all fields. */
const char *idem_field_suggest(struct idem_quoted *out, const char *typed, size_t len);

/* Fills a rule with every field's default. `error` and `arena` as in a value. */
int idem_rule_default(struct idem_rule *rule, struct idem_arena *arena, struct idem_error *error);

/* Brings rule->keying.canonical up to date. */
int idem_rule_name_keying(struct idem_rule *rule, struct idem_arena *arena, struct idem_error *error);

/* The parsers and formatters that the table names, by type. */
#define IDEM_FIELD_TYPE(type)                                                                                \
  int idem_parse_field_##type(const struct idem_field *field, const struct idem_value *value,                \
                              struct idem_rule *rule);                                                       \
  void idem_format_field_##type(const struct idem_field *field, const struct idem_rule *rule,                \
                                struct idem_text *text);
IDEM_FIELD_TYPE(host)
IDEM_FIELD_TYPE(methods)
IDEM_FIELD_TYPE(path)
IDEM_FIELD_TYPE(choice)
IDEM_FIELD_TYPE(on_off)
IDEM_FIELD_TYPE(duration)
IDEM_FIELD_TYPE(duration_or_off)
IDEM_FIELD_TYPE(size)
IDEM_FIELD_TYPE(status)
IDEM_FIELD_TYPE(header_or_off)
IDEM_FIELD_TYPE(key)
IDEM_FIELD_TYPE(key_headers)
IDEM_FIELD_TYPE(header_globs)
IDEM_FIELD_TYPE(pointers)
#undef IDEM_FIELD_TYPE

#endif
