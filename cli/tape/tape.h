/* SPDX-License-Identifier: MIT */
/*
 * What the commands of `idemshim tape` share: opening a tape, and going over it.
 *
 *     struct tape *tape;
 *     int code = cli_tape_open(options, dir, &tape);             warns of what is torn or damaged
 *     if (code == CLI_OK)
 *       code = cli_tape_each(tape, "tape export", true, visit, arg);
 *     tape_close(tape);
 *
 * Damage never ends a command: what cannot be read is told, the rest goes on, and the exit code is CLI_NO.
 */
#ifndef IDEMSHIM_CLI_TAPE_H
#define IDEMSHIM_CLI_TAPE_H

#include "cli/command/command.h"
#include "tape/tape.h"

/* The commands of `idemshim tape`, wherever their files are. */
extern const struct cli_command cli_tape_ls, cli_tape_show, cli_tape_diff, cli_tape_verify, cli_tape_export,
    cli_tape_report, cli_tape_import;

/* Opens the tape, and warns on standard error if some of it is left out. Returns CLI_OK, or has said what is
 * wrong and returns CLI_USAGE. Close with tape_close(). */
int cli_tape_open(const struct cli_options *options, const char *dir, struct tape **out);

/* --tape-key-file, else --key-file, else IDEMSHIM_TAPE_KEY_FILE, else IDEMSHIM_KEY_FILE, else NULL. */
const char *cli_tape_key(const struct cli_options *options);

/* Calls `visit` for each exchange, in order, until it returns anything but CLI_OK, and shows progress as
 * `what`; with `whole`, headers and bodies are there. What cannot be read is told and counted, and the rest
 * goes on. Returns what `visit` did, else CLI_NO if something could not be read. */
int cli_tape_each(const struct tape *tape, const char *what, bool whole,
                  int (*visit)(void *arg, const struct tape_record *record), void *arg);

#endif
