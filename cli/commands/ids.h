/* SPDX-License-Identifier: MIT */
/*
 * Answers that are to be removed: collected first and removed then, since what is visited must not change
 * meanwhile.
 *
 *     struct cli_ids ids = {.scope = "run:night"};
 *     int code = cli_ids_collect(store, &ids);
 *     if (code == CLI_OK)
 *       code = cli_ids_remove(store, &ids, "rm");
 *     cli_ids_release(&ids);
 */
#ifndef IDEMSHIM_CLI_IDS_H
#define IDEMSHIM_CLI_IDS_H

#include "cli/command/command.h"

/* What is wanted is set by the caller, and `scope` stays the caller's; the list is cli_ids_collect()'s. All
 * zero, it is every answer. */
struct cli_ids {
  bool old;          /* those of 0.1 alone */
  const char *scope; /* those of this scope alone; NULL: of any */
  char (*id)[IDEM_ID_SIZE];
  size_t count, room;
};

/* Returns an enum cli_exit; what is wrong has been said. After a failure the ids that were found until then
 * are there, and to be released all the same. */
int cli_ids_collect(struct idem_store *store, struct cli_ids *ids);

/* One that somebody else has removed meanwhile is what was wanted. `what` is the word of the
 * progress line; NULL: none. */
int cli_ids_remove(struct idem_store *store, const struct cli_ids *ids, char *what);

void cli_ids_release(struct cli_ids *ids);

/* True if the answer has that scope. */
bool cli_has_scope(const struct idem_answer *answer, const char *scope);

#endif
