/* SPDX-License-Identifier: MIT */
/*
 * A field is a named value of a type: of a rule (`fields.def`) or, as a variable of the environment, of the
 * whole configuration (`variables.def`). Both tables share one set of types, so that `ttl=` and
 * `IDEMSHIM_TAPE_AGE` are read by the same code and refused in the same words.
 *
 *     const struct idem_field *field = &idem_fields[IDEM_FIELD_ttl];
 *     field->parse(field, &value, rule);      0, or -EINVAL / -ENOMEM with the message set in value.place
 *     field->format(field, rule, &text);      what parse would read again
 *
 * A new field is a line in fields.def, a member of struct idem_rule and, if no type fits, a parser and a
 * formatter. Parsers allocate from the value's arena and own nothing.
 */
#ifndef IDEMSHIM_FIELD_H
#define IDEMSHIM_FIELD_H

#include "config/text.h"
#include "config/value.h"

/* `object` is what the member belongs to: a struct idem_rule, or a variable's struct idem_config. */
struct idem_field {
  const char *name, *values, *fallback; /* as in the table */
  int (*parse)(const struct idem_field *field, const struct idem_value *value, void *object);
  void (*format)(const struct idem_field *field, const void *object, struct idem_text *text);
  size_t offset; /* of the member that it fills */
};

/* In a parser or a formatter: the member that its field is about. The table's type says what it is. */
#define IDEM_MEMBER(type)       ((type *)(void *)((char *)object + field->offset))
#define IDEM_CONST_MEMBER(type) ((type const *)(const void *)((const char *)object + field->offset))

enum {
#define X(name, values, fallback, type, member, help) IDEM_FIELD_##name,
#include "config/fields.def"
#undef X
  IDEM_FIELD_COUNT
};

/* The fields of a rule, in the order of the table. */
extern const struct idem_field idem_fields[IDEM_FIELD_COUNT];

/* The index of a rule's field, or IDEM_FIELD_COUNT. */
size_t idem_field_find(const char *name, size_t len);

/* As IDEM_SUGGEST(), over the names of a rule's fields. */
const char *idem_field_suggest(struct idem_quoted *out, const char *typed, size_t len);

/* Fills a rule with every field's default. `error` and `arena` as in a value. */
int idem_rule_default(struct idem_rule *rule, struct idem_arena *arena, struct idem_error *error);

/* Brings rule->keying.canonical up to date. */
int idem_rule_name_keying(struct idem_rule *rule, struct idem_arena *arena, struct idem_error *error);

/* A host as a rule names it: a glob, with or without port; an IPv6 address in brackets where a port follows.
 * Gives it in lower case, without brackets, an address in its normal form; `*port` is 0 if none is
 * written. */
int idem_host_parse(const struct idem_value *value, char **host, uint16_t *port);

#define IDEM_PARSER(type)                                                                                    \
  int idem_parse_field_##type(const struct idem_field *field, const struct idem_value *value, void *object);
#define IDEM_FORMATTER(type)                                                                                 \
  void idem_format_field_##type(const struct idem_field *field, const void *object, struct idem_text *text);
#define IDEM_FIELD_TYPE(type) IDEM_PARSER(type) IDEM_FORMATTER(type)

/* Types of both tables, and the type of the member. */
IDEM_FIELD_TYPE(choice)          /* an enum: the words of `values`, with | between them */
IDEM_FIELD_TYPE(on_off)          /* bool */
IDEM_PARSER(second)              /* bool: true for the second of two words */
IDEM_FIELD_TYPE(duration)        /* uint64_t, milliseconds */
IDEM_FIELD_TYPE(duration_or_off) /* 0: off */
IDEM_FIELD_TYPE(wait)            /* IDEM_FOREVER_MS: progress */
IDEM_FIELD_TYPE(sizes)           /* uint64_t[2], bytes, at least one, of which a single size fills both */
IDEM_PARSER(size_or_0)           /* uint64_t, bytes: any */
IDEM_PARSER(size_1m)             /* at least 1 MiB */
IDEM_PARSER(size_1m_or_0)        /* at least 1 MiB, or 0 */

/* Types of a rule alone: which calls it is for, and what names an operation. The first five fill what they
 * are named after in struct idem_rule, several members or one, whatever the row's is. key and tenant fill
 * the row's struct idem_keying; key_headers, vary and pointers a struct idem_words. */
IDEM_FIELD_TYPE(host)
IDEM_FIELD_TYPE(methods)
IDEM_FIELD_TYPE(path)
IDEM_FIELD_TYPE(status)
IDEM_FIELD_TYPE(inject)
IDEM_FIELD_TYPE(most)   /* uint64_t; IDEM_NO_BUDGET: none */
IDEM_FIELD_TYPE(budget) /* struct idem_budget */
IDEM_FIELD_TYPE(key)
IDEM_FIELD_TYPE(key_headers)
IDEM_FIELD_TYPE(vary)
IDEM_FIELD_TYPE(tenant)
IDEM_FIELD_TYPE(pointers)

#endif
