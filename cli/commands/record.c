/* SPDX-License-Identifier: MIT */
/* `record`: `run` with the mode set, and with the tape as its output. */
#include "cli/launch/launch.h"

/* An --output that is not given leaves IDEMSHIM_TAPE as it is; without either, nothing is started
 * (cli_launch). */
static int record(const struct cli_options *options, int argc, char **argv)
{
  (void)argc;
  struct cli_options recording = *options;
  recording.mode = "record";
  int code = cli_set_variables(&recording);
  cli_begin_run();
  return code == CLI_OK ? cli_launch(argv, NULL) : code;
}

const struct cli_command cli_command_record = {
    .name = "record",
    .operands = "[--] COMMAND [ARGUMENT...]",
    .summary = "run a program and record every LLM call of it on a tape",
    .details = "Every call is sent. A tape that is there goes on. Exits as the program does, or as run.",
    .options = CLI_OPTIONS(
        CLI_SHORT_OPTION('o', "output", "DIR", CLI_TEXT, tape, "the tape (default: IDEMSHIM_TAPE)"),
        CLI_OPTION_CALLS, CLI_OPTION_TAPE, CLI_OPTION_KEY),
    .min_operands = 1,
    .max_operands = CLI_ANY_NUMBER,
    .stops = true,
    .run = record,
};
