/* SPDX-License-Identifier: MIT */
/*
 * What a person sees: messages, colour, width, labelled lines, progress. Results go to standard output and
 * everything else to standard error, so that a pipe gets results alone; whatever was stored by others is
 * escaped on its way (text.h).
 *
 *     return cli_fail(CLI_USAGE, "no operand; name an answer by its id");   "idemshim: show: no operand; ..."
 *     cli_fact("stored", "%s", cli_ago(ago, answer->stored_us));            "stored        5m ago"
 *     printf("%sgone%s\n", cli_style(CLI_RED), cli_style(CLI_PLAIN));       red on a terminal alone
 */
#ifndef IDEMSHIM_CLI_OUTPUT_H
#define IDEMSHIM_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the command exits with. `run` ends as its program does, or with 126 or 127 as env(1) does. */
enum cli_exit {
  CLI_OK = 0,
  CLI_NO = 1,    /* the answer is no: nothing found, no rule, something is damaged */
  CLI_USAGE = 2, /* the command line or the configuration is wrong; what should be a tape is none */
  CLI_STORE = 3, /* the store cannot be used, the program cannot be read, or the output cannot be written */
};

/* The subcommand that messages name from now on; NULL for none. Not copied. */
void cli_message_command(const char *name);

/* Prints `idemshim: CMD: what; what to do next` with a newline on standard error and returns `code`, so that
 * failing is one statement. Bytes that could drive a terminal are printed as escapes. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for what the user should know although the work goes on. */
#define cli_warn(...) ((void)cli_fail(CLI_OK, "warning: " __VA_ARGS__))

/* Whether a file that is named can be read; errno has why not. A directory, which fopen(3) opens and which
 * then looks empty, cannot. Nothing is opened, for a pipe is read once. */
bool cli_readable_file(const char *path);

/* Few, and none of them carries a meaning alone: a sign or a word says the same. */
enum cli_style { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_RED, CLI_GREEN };

/* The sequence that starts a style, or "" when standard output is no terminal, NO_COLOR is set or TERM is
 * dumb. CLI_PLAIN ends every style. */
const char *cli_style(enum cli_style style);

/* True if standard output is a terminal: what is stored is then never printed as it is unless --raw asks for
 * it. */
bool cli_on_terminal(void);

/* Columns of the terminal; CLI_UNCUT when standard output is none, so that a pipe gets everything. */
size_t cli_columns(void);

/* "label       value": for a page about one thing. The value's control characters are escaped. */
void cli_fact(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what went wrong: red on a terminal. */
void cli_fact_bad(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with a text that is the fact's own: it is freed. NULL (no memory) and "" print nothing. */
void cli_fact_take(const char *label, char *text);

/* A progress line on standard error for work that takes long: "verify: 1,200 of 5,000 (24%)". Nothing is
 * printed where standard error is no terminal. Fits the store's callbacks; `what` is the word for what is
 * being done, a const char *. */
void cli_progress(void *what, uint64_t done, uint64_t total);

/* Takes the line away, before anything else is printed. */
void cli_progress_end(void);

#endif
