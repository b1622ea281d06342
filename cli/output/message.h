/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong, said one way: `idemshim: CMD: what; what to do next` on standard error.
 */
#ifndef IDEMSHIM_CLI_MESSAGE_H
#define IDEMSHIM_CLI_MESSAGE_H

/* What the command exits with. `run` ends as its program does, or with 126 or 127 as env(1) does. */
enum cli_exit {
  CLI_OK = 0,
  CLI_NO = 1,    /* the answer is no: nothing found, no rule, something is damaged */
  CLI_USAGE = 2, /* the command line or the configuration is wrong; what should be a tape is none */
  CLI_STORE = 3, /* the store cannot be used, the program cannot be read, or the output cannot be written */
};

/* The subcommand that messages name from now on; NULL for none. Not copied. */
void cli_message_command(const char *name);

/* Prints the message with its prefix and a newline, and returns `code`, so that failing is one statement:
 *   return cli_fail(CLI_USAGE, "no operand; name an answer by its id");
 * Bytes that could drive a terminal are printed as escapes. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for what the user should know although the work goes on. */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
