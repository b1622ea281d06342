/* SPDX-License-Identifier: MIT */
#include "cli/commands/table.h"

/* In the order of the overview: what runs programs, what asks, what looks after the store, what helps. */
static const struct cli_command *const rows[] = {
    &cli_command_run,    &cli_command_record,   &cli_command_replay,  &cli_command_check,
    &cli_command_doctor, &cli_command_top,      &cli_command_tail,    &cli_command_stats,
    &cli_command_ls,     &cli_command_show,     &cli_command_explain, &cli_command_rm,
    &cli_command_gc,     &cli_command_verify,   &cli_command_tape,    &cli_command_fleet,
    &cli_command_help,   &cli_command_complete,
};

const struct cli_commands cli_commands = {rows, sizeof(rows) / sizeof(*rows), ""};
