/* SPDX-License-Identifier: MIT */
/* `run`: options become variables, the library is preloaded, and this process becomes the
 * program, unless there is something to say at its end. */
#include "cli/commands/durable.h"
#include "cli/commands/observe.h"
#include "cli/launch/launch.h"

#include <stdlib.h>

/* Does not come back unless nothing was started. */
static int run(const struct cli_options *options, int argc, char **argv)
{
  (void)argc;
  /* Of a run that is observed as a whole, the whole is told. */
  bool within = getenv("IDEMSHIM_RUN") && cli_observes();
  if (options->keep && !options->durable)
    return cli_fail(CLI_USAGE, "--keep is for --durable; how long other answers stay is ttl= of a rule");
  int code = cli_set_variables(options);
  cli_begin_run();
  if (code == CLI_OK && options->durable)
    return cli_durable_run(options, argv);
  if (code == CLI_OK && !within && cli_observes())
    return cli_observe_run(argv);
  return code == CLI_OK ? cli_launch(argv, NULL) : code;
}

const struct cli_command cli_command_run = {
    .name = "run",
    .operands = "[--] COMMAND [ARGUMENT...]",
    .summary = "run a program so that a finished call is never paid for twice",
    .details = "Each option sets the variable of its name (IDEMSHIM_MODE, ...) for the program; idemshim(7) "
               "has all of\n"
               "them. Exits as the program does; 126 if it cannot be run, 127 if there is none, 2 if the\n"
               "configuration has a mistake: nothing is started then.",
    .options = CLI_OPTIONS(
        CLI_OPTION("mode", "M", CLI_TEXT, mode, "idempotent, observe, record, replay or off"),
        CLI_OPTION("store", "DIR", CLI_TEXT, store, "where answers are kept"),
        CLI_OPTION("scope", "S", CLI_TEXT, scope, "the set of operations: a job, an event"),
        CLI_OPTION("durable", "NAME", CLI_TEXT, durable,
                   "start it again until it ends well: each call is made once"),
        CLI_OPTION("keep", "T", CLI_TEXT, keep, "with --durable: how long its answers stay (default: 30d)"),
        CLI_OPTION("fault", "F,...", CLI_TEXT, live_faults,
                   "what if: 429@3, stall:30s, reset; @N: call N alone"),
        CLI_OPTION_CALLS, CLI_OPTION("store-size", "N", CLI_TEXT, store_size, "what answers may take: 512M"),
        CLI_OPTION("no-sync", NULL, CLI_FLAG, no_sync, "faster, and a crash of the machine loses answers"),
        CLI_OPTION("tape", "DIR", CLI_TEXT, tape, "where every exchange is recorded as well"),
        CLI_OPTION_TAPE,
        CLI_OPTION("key-file", "FILE", CLI_TEXT, key_file, "the key of the store and of a tape"),
        CLI_OPTION_TAPE_KEY),
    .min_operands = 1,
    .max_operands = CLI_ANY_NUMBER,
    .stops = true,
    .run = run,
};
