/* SPDX-License-Identifier: MIT */
#include "cli/commands/ids.h"

#include "cli/launch/find_store.h"
#include "cli/output/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool cli_has_scope(const struct idem_answer *answer, const char *scope)
{
  return answer->scope.len == strlen(scope) && memcmp(answer->scope.data, scope, answer->scope.len) == 0;
}

/* For idem_store_each(): what is not CLI_OK ends the visit and is its result. */
static int collect(void *arg, const struct idem_answer *answer)
{
  struct cli_ids *ids = arg;
  if ((ids->old && !answer->is_old) || (ids->scope && !cli_has_scope(answer, ids->scope)))
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

int cli_ids_collect(struct idem_store *store, struct cli_ids *ids)
{
  struct idem_error error = {""};
  int code = idem_store_each(store, IDEM_OLDEST_FIRST, collect, ids, &error);
  return code < 0 ? cli_fail(CLI_STORE, "%s", error.text) : code;
}

/* The first that cannot be removed ends it; what stood before it in the list is gone by then. The progress
 * line is ended before anything is said. */
int cli_ids_remove(struct idem_store *store, const struct cli_ids *ids, char *what)
{
  struct idem_error error = {""};
  int code = CLI_OK;
  for (size_t i = 0; i < ids->count && code == CLI_OK; i++) {
    int result = idem_store_remove(store, ids->id[i], &error);
    if (result < 0 && result != -ENOENT) {
      cli_progress_end();
      code = cli_not_found(result, &error);
    } else if (what) {
      cli_progress(what, i + 1, ids->count);
    }
  }
  cli_progress_end();
  return code;
}

void cli_ids_release(struct cli_ids *ids)
{
  free(ids->id);
}
