/* SPDX-License-Identifier: MIT */
/*
 * One value that the user wrote, with the place where it stands, and what values are made of: words, choices,
 * lists. It carries its own error and arena, so that a parser needs nothing else to refuse it in full:
 *
 *     if (!idem_value_is(value, "off") && idem_parse_duration(value->data, value->len, &ms) < 0)
 *       return idem_value_refuse(value, "a duration, or off", "");
 *                        "IDEMSHIM_RULES: rule 2, field rescue, column 34: expected a duration, or off, not "soon""
 *
 * Parsers return 0, or -EINVAL / -ENOMEM with the message set. What they allocate comes from the value's
 * arena.
 */
#ifndef IDEMSHIM_VALUE_H
#define IDEMSHIM_VALUE_H

#include "config/arena.h"
#include "config/config.h"
#include "config/place.h"

/* The longest value, and the most items that a list may have. */
#define IDEM_VALUE_MAX ((size_t)4096)
#define IDEM_WORDS_MAX ((size_t)64)

/* A piece of the user's text. */
struct idem_value {
  const char *data; /* not NUL-terminated */
  size_t len;
  struct idem_place place; /* of data[0] */
  struct idem_arena *arena;
};

bool idem_value_is(const struct idem_value *value, const char *word);

/* The part from `first` to before `end`, with its own column. */
struct idem_value idem_value_part(const struct idem_value *value, size_t first, size_t end);

/* The next item of a,b,c from byte `*at` on, which begins with 0; false after the last. An empty
 * list has one empty item. */
bool idem_value_item(const struct idem_value *list, size_t *at, struct idem_value *item);

/* "expected `what`, not "...""; `hint` is what to do instead, or "". */
int idem_value_refuse(const struct idem_value *value, const char *what, const char *hint);
int idem_value_no_memory(const struct idem_value *value);

/* One of the words "a|b|c"; gives its index, and leaves `*index` alone if it is none of them. */
int idem_value_choice(const struct idem_value *value, const char *words, unsigned *index);

/* How an item of a list is checked and brought into its normal form, in place (`word` is `item`'s copy). */
typedef int idem_check_item(const struct idem_value *item, char *word);

/*
 * Appends the items of a,b,c that are not in `words` already, whatever their case if `fold`.
 * `words->word` must be NULL, or have come from here with `count` in it.
 */
int idem_value_words(const struct idem_value *value, idem_check_item *check, bool fold,
                     struct idem_words *words);

#endif
