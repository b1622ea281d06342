/* SPDX-License-Identifier: MIT */
/* `gc`: gives back at once what the store would give back by itself when it needs room. */
#include "cli/command/command.h"
#include "cli/launch/find_store.h"
#include "cli/output/json.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "config/words.h"

#include <stdio.h>

/* Progress comes from the store, which knows how much there is to look at. "claims" and "readers"
 * are what processes left that were killed. */
static int gc(const struct cli_options *options, struct idem_store *store, char **operands)
{
  char removed[CLI_UNIT_SIZE], bytes[CLI_UNIT_SIZE], claims[CLI_UNIT_SIZE], readers[CLI_UNIT_SIZE],
      name[] = "gc";
  struct idem_gc gc = {0};
  struct idem_error error = {""};
  (void)operands;
  int result = idem_store_gc(store, &gc, cli_progress, name, &error);
  cli_progress_end();
  if (result < 0)
    return cli_fail(CLI_STORE, "%s", error.text);
  if (options->json)
    return cli_print_json(json_pack("{s:I, s:I, s:I, s:I}", "removed", (json_int_t)gc.removed, "bytes",
                                    (json_int_t)gc.bytes, "claims", (json_int_t)gc.claims, "readers",
                                    (json_int_t)gc.readers));
  printf("removed %s expired %s (%s), %s %s and %s %s of dead processes\n", cli_count(removed, gc.removed),
         idem_word(gc.removed, "answer", "answers"), cli_bytes(bytes, gc.bytes), cli_count(claims, gc.claims),
         idem_word(gc.claims, "claim", "claims"), cli_count(readers, gc.readers),
         idem_word(gc.readers, "reader", "readers"));
  return CLI_OK;
}

const struct cli_command cli_command_gc = {
    .name = "gc",
    .operands = "",
    .summary = "remove what has expired and what dead processes left",
    .details =
        "Expired answers are never replayed and make room by themselves; this only gives the space back now.",
    .options = CLI_OPTIONS(CLI_OPTION_JSON, CLI_OPTION_STORE),
    .on_store = gc,
};
