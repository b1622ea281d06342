/* SPDX-License-Identifier: MIT */
#include "cli/launch/replay_state.h"

#include "cli/command/command.h"
#include "cli/launch/temporary.h"
#include "cli/output/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Nothing is made where the user has named a file: several replays may share one on purpose. */
int cli_make_replay_state(void)
{
  const char *given = getenv("IDEMSHIM_REPLAY_STATE");
  char path[PATH_MAX];
  if (given && *given)
    return CLI_OK;
  if (!cli_make_temporary(path, "replay", CLI_SMALL_FILE) || setenv("IDEMSHIM_REPLAY_STATE", path, 1) < 0)
    return cli_fail(CLI_STORE, "%s: %s; nothing was started", path, strerror(errno));
  cli_remove_at_end(path);
  return CLI_OK;
}
