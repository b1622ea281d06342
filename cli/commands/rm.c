/* SPDX-License-Identifier: MIT */
/* `rm`: answers by id, or all of them. Removing costs money later, so --all asks for --yes and
 * says how many there are. */
#include "cli/commands/durable.h"
#include "cli/launch/find_store.h"
#include "cli/output/output.h"
#include "cli/output/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Collected first and removed then: the store cannot be written while it is visited. */
struct ids {
  char (*id)[IDEM_ID_SIZE];
  size_t count, room;
  bool old; /* those of 0.1 alone */
};

/* Ids are copied, for removing one while the store is visited would change what is visited. */
static int collect(void *arg, const struct idem_answer *answer)
{
  struct ids *ids = arg;
  if (ids->old && !answer->is_old)
    return 0;
  if (ids->count == ids->room) {
    size_t room = ids->room ? 2 * ids->room : 256;
    void *grown = reallocarray(ids->id, room, sizeof(*ids->id));
    if (!grown)
      return cli_fail(CLI_STORE, "out of memory; remove answers by their ids");
    ids->id = grown;
    ids->room = room;
  }
  memcpy(ids->id[ids->count++], answer->id, IDEM_ID_SIZE);
  return 0;
}

/* Somebody else may have removed it meanwhile, which is what was wanted. */
static int remove_each(struct idem_store *store, const struct ids *ids)
{
  char name[] = "rm", count[CLI_UNIT_SIZE];
  struct idem_error error = {""};
  for (size_t i = 0; i < ids->count; i++) {
    int result = idem_store_remove(store, ids->id[i], &error);
    if (result < 0 && result != -ENOENT) {
      cli_progress_end();
      return cli_not_found(result, &error);
    }
    cli_progress(name, i + 1, ids->count);
  }
  cli_progress_end();
  printf("removed %s answer%s\n", cli_count(count, ids->count), ids->count == 1 ? "" : "s");
  return CLI_OK;
}

/* Without --yes nothing of --all is removed, and the number is what the message is for. Those of 0.1 are
 * never looked up, so removing them costs nothing. */
static int remove_all(struct idem_store *store, bool old, bool yes)
{
  struct ids ids = {.old = old};
  struct idem_error error = {""};
  char count[CLI_UNIT_SIZE];
  int code = idem_store_each(store, IDEM_OLDEST_FIRST, collect, &ids, &error);
  if (code < 0)
    code = cli_fail(CLI_STORE, "%s", error.text);
  else if (code == CLI_OK && !old && !yes)
    code =
        cli_fail(CLI_USAGE, "--all would remove %s answers, each of which was paid for; add --yes to do it",
                 cli_count(count, ids.count));
  else if (code == CLI_OK)
    code = remove_each(store, &ids);
  free(ids.id);
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
  code = options->run ? cli_durable_remove(store, options->run)
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
