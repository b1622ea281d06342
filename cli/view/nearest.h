/* SPDX-License-Identifier: MIT */
/*
 * The stored request that is most like another one, and what could make the two one operation. `explain` is
 * made of it.
 *
 *     struct cli_nearest nearest;
 *     if (cli_nearest_find(store, &target, false, &nearest, &error) == 0 && nearest.alike >= 0)
 *       cli_advice(nearest.difference, advice, sizeof(advice));
 *     cli_kept_release(&nearest.kept);
 *
 * It reads the newest CLI_NEAREST_MOST answers, or CLI_NEAREST_BYTES of them, or all, and shows progress.
 */
#ifndef IDEMSHIM_CLI_NEAREST_H
#define IDEMSHIM_CLI_NEAREST_H

#include "store/store.h"

/* An answer that outlives the visit in which it was seen: everything but headers, body, chunks and facts,
 * which are empty. Start with `{0}`. */
struct cli_kept {
  struct idem_answer answer;
  char *bytes;
};

/* Replaces what was kept before. -ENOMEM. */
int cli_keep(struct cli_kept *kept, const struct idem_answer *answer);
void cli_kept_release(struct cli_kept *kept);

/* What was found. `kept` is empty if `alike` is negative. */
struct cli_nearest {
  struct cli_kept kept;
  int alike; /* 0 to 1000; -1: no other request for this method, origin and path */
  /* So many of so many were looked at; fewer if none can be nearer than the one that was found. */
  uint64_t looked, answers;
  bool cut;             /* there are older ones at which it has not looked */
  char difference[512]; /* where the two first differ, in words */
};

/* A few hundredths of a second, however large the store, and whether prompts are short or long. */
enum { CLI_NEAREST_MOST = 5000, CLI_NEAREST_BYTES = 16 << 20 };

/* Looks through the newest answers, or through all, for the request that is nearest to `target`; among
 * equally near ones, for the newest. Shows progress. 0 or -errno. End with
 * cli_kept_release(&nearest->kept). */
int cli_nearest_find(struct idem_store *store, const struct idem_answer *target, bool all,
                     struct cli_nearest *nearest, struct idem_error *error);

/* Writes the rule with what would make two calls one that differ so; "" where no field of a rule would. False
 * if it has that already. */
bool cli_mend(const struct idem_rule *rule, const char *difference, char *out, size_t size);

/* Writes what a person can do so that two calls become one operation, given their difference as
 * idem_store_compare() tells it. */
void cli_advice(const char *difference, char *out, size_t size);

#endif
