/* SPDX-License-Identifier: MIT */
#include "cli/output/message.h"
#include "cli/report/report.h"
#include "cli/tape/tape.h"

#include <stdlib.h>

static int write_report(struct report *report)
{
  int code = report_read(report);
  if (code > CLI_NO)
    return code;
  if (!report_plan(report))
    return cli_fail(CLI_STORE, "out of memory");
  int written = report_page(report);
  return written > code ? written : code;
}

static int run(const struct cli_options *options, int argc, char **argv)
{
  struct tape *tape;
  struct cli_sink sink;
  (void)argc;
  int code = cli_tape_open(options, argv[0], &tape);
  if (code != CLI_OK)
    return code;
  struct report report = {.tape = tape, .dir = argv[0]};
  code = cli_sink_open(options, &sink);
  if (code == CLI_OK) {
    report.out = sink.file;
    code = cli_sink_close(&sink, write_report(&report));
  }
  free(report.calls);
  free(report.lanes);
  free(report.stretches);
  tape_close(tape);
  return code;
}

static const struct cli_option options_table[] = {
    CLI_OPTION_OUTPUT,
    CLI_OPTION_KEY,
    CLI_OPTION_END,
};

const struct cli_command cli_tape_report = {
    .name = "tape report",
    .operands = "DIR",
    .summary = "write one HTML page: a picture of the run, and every exchange",
    .details =
        "The page needs no network and nothing beside it. Of long runs it has the beginning of each body.",
    .options = options_table,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
