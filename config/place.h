/* SPDX-License-Identifier: MIT */
/*
 * Where in the user's text something is wrong, and the message that says so:
 *
 *     "IDEMSHIM_RULES: rule 2, field ttl, column 34: expected ..."
 *     "idemshim.rules line 7: rule 3, column 1: ..."
 *
 *     return idem_place_fail(&place, "unknown field %s%s", IDEM_QUOTE(name, len), IDEM_SUGGEST(words, name, len));
 *
 * What the user wrote is quoted, cut and escaped, since it may hold anything and the message is one line of a
 * log.
 */
#ifndef IDEMSHIM_PLACE_H
#define IDEMSHIM_PLACE_H

#include "config/config.h"

/* A place in a text, as far as it is known. */
struct idem_place {
  const char *where; /* a variable or a file */
  unsigned line;     /* from 1; 0 where the text has only one */
  const char *noun;  /* what is counted in it: "rule", "host" */
  int number;        /* which one, from 1; 0: none */
  const char *field; /* NULL: none */
  size_t column;     /* in bytes, from 1; 0: none */
  struct idem_error *error;
};

/* Sets the message and returns -EINVAL. */
int idem_place_fail(const struct idem_place *place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The user's own text, short and harmless enough to show: "in quotes", with \xNN for what cannot be printed.
 */
struct idem_quoted {
  char text[64];
};
const char *idem_quote(struct idem_quoted *out, const char *data, size_t len);

/* idem_quote() as an expression; what it returns lives until the end of the enclosing block. */
#define IDEM_QUOTE(data, len) idem_quote(&(struct idem_quoted){{0}}, data, len)

/* "; did you mean "ttl"?" for the word of a NULL-terminated list that is like `typed`, or "". As
 * IDEM_QUOTE(). */
const char *idem_suggest(struct idem_quoted *out, const char *const *words, const char *typed, size_t len);
#define IDEM_SUGGEST(words, typed, len) idem_suggest(&(struct idem_quoted){{0}}, words, typed, len)

#endif
