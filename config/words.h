/* SPDX-License-Identifier: MIT */
/*
 * A word beside a number, for lines that people read:
 *
 *     printf("removed %s %s\n", cli_count(text, n), idem_word(n, "answer", "answers"));    "removed 1 answer"
 */
#ifndef IDEMSHIM_WORDS_H
#define IDEMSHIM_WORDS_H

#include <stdint.h>

/* `one` beside 1, `more` beside all others, 0 too. */
static inline const char *idem_word(uint64_t n, const char *one, const char *more)
{
  return n == 1 ? one : more;
}

#endif
