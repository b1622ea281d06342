/* SPDX-License-Identifier: MIT */
/*
 * Which exchange of one tape is which of another: the n-th call of one name is the n-th of the other. Names
 * are tried from the strictest (key) to the loosest (URL), so that a run whose prompts have changed is still
 * laid beside the old one.
 *
 *     struct cli_pair_side a, b;
 *     if (cli_pair_read(first, &a) == CLI_OK && cli_pair_read(second, &b) == CLI_OK && cli_pair(&a, &b))
 *       partner = a.item[number - 1].partner;                   0: it is only on the first tape
 *     free(a.item), free(b.item);
 */
#ifndef IDEMSHIM_CLI_TAPE_PAIR_H
#define IDEMSHIM_CLI_TAPE_PAIR_H

#include "tape/tape.h"

/* One exchange by its names; `partner` is set by cli_pair(). */
struct cli_pair_item {
  uint64_t partner; /* its number on the other tape; 0: none */
  uint8_t key[IDEM_KEY_SIZE], fingerprint[IDEM_KEY_SIZE], url[IDEM_KEY_SIZE];
};

/* One tape. */
struct cli_pair_side {
  const char *const *origins;
  struct cli_pair_item *item; /* exchange n is item[n - 1] */
  size_t count;
};

/* Reads what names the exchanges. `origins` are RECORDED=NOW texts: a NOW is named as its RECORDED. Returns
 * an enum cli_exit. Free `item`. */
int cli_pair_read(const struct tape *tape, const char *const *origins, struct cli_pair_side *side);

/* Whether each of them is one; else it is said, as of --map-origin. Returns an enum cli_exit. */
int cli_check_origins(const char *const *origins);

/* Pairs them. False without memory. */
bool cli_pair(struct cli_pair_side *a, struct cli_pair_side *b);

#endif
