/* SPDX-License-Identifier: MIT */
/* `tape report`: reads the tape twice, for a run may be larger than memory. The first time for
 * the sums and the picture, the second for headers and bodies. */
#include "cli/output/output.h"
#include "cli/report/report.h"
#include "cli/tape/tape.h"
#include "cli/view/rules.h"

#include <stdlib.h>

/* An exchange that cannot be read makes CLI_NO, and the page has all others. */
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

/* Everything that was allocated is freed here, whatever failed on the way. */
static int report(const struct cli_options *options, const struct tape *tape, char **operands)
{
  struct report report = {.tape = tape, .dir = operands[0], .out = stdout};
  struct idem_error error = {""};
  const char *prices = cli_prices_file(options->prices);
  if (prices && !(report.prices = cli_prices_load(prices)))
    return CLI_USAGE;
  /* A page is the same whoever makes it: the configuration of that moment is not in it. */
  int code = cli_built_in_rules(&report.config, &error) < 0 ? cli_fail(CLI_USAGE, "%s", error.text) : CLI_OK;
  if (code == CLI_OK) {
    report.own_api = report.config.rules[0];
    report.own_api.name = NULL;
    code = write_report(&report);
  }
  idem_config_release(&report.config);
  prices_free(report.prices);
  free(report.calls);
  free(report.good);
  free(report.lanes);
  free(report.stretches);
  return code;
}

const struct cli_command cli_tape_report = {
    .name = "tape report",
    .operands = "DIR",
    .summary = "write one HTML page: a picture of the run, and every exchange",
    .details =
        "The page needs no network and nothing beside it. Of long runs it has the beginning of each body.",
    .options = CLI_OPTIONS(CLI_OPTION_PRICES, CLI_OPTION_OUTPUT, CLI_OPTION_KEY),
    .min_operands = 1,
    .max_operands = 1,
    .on_tape = report,
};
