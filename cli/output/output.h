/* SPDX-License-Identifier: MIT */
/*
 * Standard output for people: colour, width, labelled lines.
 */
#ifndef IDEMSHIM_CLI_OUTPUT_H
#define IDEMSHIM_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
