/* SPDX-License-Identifier: MIT */
/* `tape export`: which format. */
#include "cli/tape/export.h"

/* One of them has to be said: what comes out is read by a program that expects that one. */
static int export(const struct cli_options *options, const struct tape *tape, char **operands)
{
  (void)operands;
  if (options->har == options->otlp)
    return cli_fail(CLI_USAGE, "say what to export: --har or --otlp");
  return options->har ? cli_write_har(tape, stdout) : cli_write_otlp(tape, stdout);
}

const struct cli_command cli_tape_export = {
    .name = "tape export",
    .operands = "--har|--otlp DIR",
    .summary = "write the run in a format that other tools read",
    .details =
        "In a HAR, a transfer that failed has the status 0 and libcurl's error in _error; bodies that are "
        "not\n"
        "UTF-8 are in base64; members that begin with _ are idemshim's own, or those of browsers.\n"
        "In OTLP a call is a span with the attributes of OpenTelemetry's GenAI conventions, without prompts\n"
        "and answers.",
    .options =
        CLI_OPTIONS(CLI_OPTION("har", NULL, CLI_FLAG, har, "a HTTP archive, version 1.2"),
                    CLI_OPTION("otlp", NULL, CLI_FLAG, otlp, "traces of OpenTelemetry, as OTLP's JSON"),
                    CLI_OPTION_OUTPUT, CLI_OPTION_KEY),
    .min_operands = 1,
    .max_operands = 1,
    .on_tape = export,
};
