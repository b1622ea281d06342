/* SPDX-License-Identifier: MIT */
#include "config/ascii.h"
#include "config/place.h"

#include <stdio.h>
#include <string.h>

/* Longer than any word that we know. */
#define WORD_MAX 16

static unsigned least(unsigned a, unsigned b)
{
  return a < b ? a : b;
}

static bool same(char a, char b)
{
  return idem_lower(a) == idem_lower(b);
}

/* How many letters have to be put in, left out, changed or swapped with their neighbour (Damerau 1964). */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
  unsigned cost[WORD_MAX + 1][WORD_MAX + 1];

  for (size_t i = 0; i <= a_len; i++) {
    for (size_t j = 0; j <= b_len; j++) {
      if (!i || !j) {
        cost[i][j] = (unsigned)(i + j);
        continue;
      }
      unsigned change = !same(a[i - 1], b[j - 1]);
      cost[i][j] = least(cost[i - 1][j - 1] + change, least(cost[i - 1][j], cost[i][j - 1]) + 1);
      if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
        cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a_len][b_len];
}

const char *idem_suggest(struct idem_quoted *out, const char *const *words, const char *typed, size_t len)
{
  const char *nearest = NULL;
  /* One slip in three letters: with more, the guess is worse than none, as "on" for "no" would be. */
  unsigned best = (unsigned)len / 3;

  out->text[0] = '\0';
  if (best == 0 || len > WORD_MAX)
    return out->text;
  for (; *words; words++) {
    size_t word_len = strlen(*words);
    unsigned far = word_len <= WORD_MAX ? distance(typed, len, *words, word_len) : best + 1;
    if (far < best || (far == best && !nearest)) {
      best = far;
      nearest = *words;
    }
  }
  if (nearest)
    snprintf(out->text, sizeof out->text, "; did you mean \"%s\"?", nearest);
  return out->text;
}
