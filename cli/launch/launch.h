/* SPDX-License-Identifier: MIT */
/*
 * Starting a program with the library in front of it, as `run`, `record` and `replay` do.
 *
 *     int code = cli_set_variables(options);
 *     return code == CLI_OK ? cli_launch(argv, NULL) : code;
 *
 * The program takes the place of this one: its pid, its signals, its terminal and what it exits with are its
 * own.
 */
#ifndef IDEMSHIM_CLI_LAUNCH_H
#define IDEMSHIM_CLI_LAUNCH_H

#include "cli/command/command.h"
#include "config/config.h"

/* Sets the variable of each option that was given. Paths are made absolute, since the program may change its
 * directory. Returns CLI_OK, or has said what is wrong. */
int cli_set_variables(const struct cli_options *options);

/* What is run is one run, whose processes say at their end what it came to
 * (IDEMSHIM_SUMMARY, IDEMSHIM_RUN). */
void cli_begin_run(void);

/* Checks the configuration, asks `check` (may be NULL), preloads the library and becomes the program. Comes
 * back only if nothing was started, with the code to exit with: 126, 127, or CLI_USAGE. */
int cli_launch(char **argv, int (*check)(const struct idem_config *config));

/*
 * The same with the program as a child, which gets the signals that this process is sent; where it is
 * stopped, so is this process, until a shell lets it go on. Exits with what `end` says, and as the program
 * did, by a signal too, if it says the same.
 *
 *     static int account(int code) { ...; return code; }
 *     return cli_launch_and_wait(argv, &(struct cli_waiting){.end = account});
 *
 * Where nothing was started, `end` is not asked.
 */
struct cli_waiting {
  int (*check)(const struct idem_config *config); /* before it is started; may be NULL */
  void (*look)(void);   /* now and then, and once more behind the program's end; may be NULL */
  int (*end)(int code); /* the code that the program exited with; 128 and the signal, as a shell has it */
};
int cli_launch_and_wait(char **argv, const struct cli_waiting *waiting);

/* CLI_USAGE, said why, where a rule has budget=usd: and its file of prices cannot be used;
 * `more` ends the line. */
int cli_expect_prices(const struct idem_config *config, const char *more);

/* The absolute path of libidemshim.so, which is beside this command or in ../IDEM_LIB; the caller frees it.
 * NULL if it is nowhere. */
char *cli_find_library(void);

/* Puts that library before whatever LD_PRELOAD names already. Returns CLI_OK, or has said what is missing and
 * returns CLI_USAGE. */
int cli_preload_library(void);

#endif
