/* SPDX-License-Identifier: MIT */
/* `idemshim tape`: commands of its own, for what was recorded. */
#include "cli/tape/tape.h"
#include "cli/commands/dispatch.h"

/* In the order of the help: first what one looks at, then what is made of it. */
static const struct cli_command *const rows[] = {
    &cli_tape_ls,     &cli_tape_show,   &cli_tape_diff,   &cli_tape_verify,
    &cli_tape_export, &cli_tape_report, &cli_tape_import,
};

static const struct cli_commands commands = {rows, sizeof(rows) / sizeof(*rows), "tape "};

const struct cli_command cli_command_tape = {
    .name = "tape",
    .operands = "ls|show|diff|verify|export|report|import DIR ...",
    .summary = "look at a recorded run: list, show, compare, export, report; import one",
    .details =
        "ls DIR             list the exchanges\n"
        "show DIR N         everything that is known of one\n"
        "diff DIR DIR       which exchanges of two runs differ, and where\n"
        "verify DIR         read everything and check it\n"
        "export --har DIR   write a HAR 1.2 archive, for a browser's network panel; --otlp: traces\n"
        "report DIR         write one HTML page: a picture of the run, and every exchange\n"
        "import FILE.har    make a tape of what a browser or a proxy has saved\n\n"
        "idemshim tape COMMAND --help has the options of each. Exits 2 if DIR is no tape that can be read.",
    .options = &(const struct cli_option){0},
    .min_operands = 1,
    .max_operands = CLI_ANY_NUMBER,
    .stops = true,
    .commands = &commands,
};
