/* SPDX-License-Identifier: MIT */
/* `rm`: answers by id, or all of them. Removing costs money later, so --all asks for --yes and
 * says how many there are. */
#include "cli/commands/durable.h"
#include "cli/commands/ids.h"
#include "cli/launch/find_store.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "config/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without --yes nothing of --all is removed, and the number is what the message is for. Those of 0.1 are
 * never looked up, so removing them costs nothing. */
static int remove_all(struct idem_store *store, bool old, bool yes)
{
  struct cli_ids ids = {.old = old};
  char what[] = "rm", count[CLI_UNIT_SIZE];
  int code = cli_ids_collect(store, &ids);
  if (code == CLI_OK && !old && !yes)
    code = cli_fail(CLI_USAGE, "--all would remove %s %s paid for; add --yes to do it",
                    cli_count(count, ids.count),
                    idem_word(ids.count, "answer, which was", "answers, each of which was"));
  else if (code == CLI_OK)
    code = cli_ids_remove(store, &ids, what);
  if (code == CLI_OK)
    printf("removed %s %s\n", cli_count(count, ids.count), idem_word(ids.count, "answer", "answers"));
  cli_ids_release(&ids);
  return code;
}

/* One that is not there does not keep the others from being removed. */
static int remove_named(struct idem_store *store, char **ids)
{
  struct idem_error error = {""};
  int code = CLI_OK;
  for (; *ids; ids++) {
    int result = idem_store_remove(store, *ids, &error);
    if (result < 0)
      code = cli_not_found(result, &error);
    else
      printf("removed %s\n", *ids);
  }
  return code;
}

/* Neither ids nor --all, or both, is a mistake: an empty variable in a script must not remove
 * everything. */
static int run(const struct cli_options *options, int argc, char **argv)
{
  struct idem_store *store;
  if (options->all + options->old + (argc > 0) + (options->run != NULL) != 1)
    return cli_fail(CLI_USAGE, "give the ids of answers, or --all --yes for every answer");
  int code = cli_find_store(options, false, &store);
  if (code != CLI_OK)
    return code;
  code = options->run ? cli_runs_remove(store, options->run)
         : argc > 0   ? remove_named(store, argv)
                      : remove_all(store, options->old, options->yes);
  idem_store_close(store);
  return code;
}

const struct cli_command cli_command_rm = {
    .name = "rm",
    .operands = "ID...",
    .summary = "remove answers: their calls go upstream again",
    .details = "An id may be cut short where that is unique. A claim in doubt is removed in the same way.",
    .options = CLI_OPTIONS(
        CLI_OPTION("all", NULL, CLI_FLAG, all, "every answer"),
        CLI_OPTION("old", NULL, CLI_FLAG, old, "what idemshim 0.1 has stored, which is never looked up"),
        CLI_OPTION("run", "NAME", CLI_TEXT, run, "what a durable run has got, so that it begins anew"),
        CLI_OPTION("yes", NULL, CLI_FLAG, yes, "yes, every answer"), CLI_OPTION_STORE),
    .max_operands = CLI_ANY_NUMBER,
    .run = run,
};
