/* SPDX-License-Identifier: MIT */
/*
 * Stored bytes, made fit for a person's screen.
 *
 * A prompt or an answer may hold anything, and a terminal obeys what it is sent: a title, a colour, a cleared
 * screen, an answer to a question that it was asked. Control characters, the C1 set, marks that turn the
 * direction of text and bytes that are not UTF-8 are printed as \n, \x1b or \u202e. A backslash is left
 * alone: this is for reading, not for getting the bytes back.
 *
 *     size_t used = cli_put_line(stdout, prompt, strlen(prompt), cli_columns());
 *     cli_put_block(stdout, body.data, body.len);
 */
#ifndef IDEMSHIM_CLI_TEXT_H
#define IDEMSHIM_CLI_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* A width that everything fits. */
#define CLI_UNCUT ((size_t)-1)

/* Lets UTF-8 be recognised; call it once, before anything is printed. Where the system has no UTF-8 locale at
 * all, everything beyond ASCII is printed as escapes. */
void cli_text_init(void);

/* One line: runs of white space become one blank, the rest is escaped, and what is wider than `columns` ends
 * in "…". Returns the columns that it took. */
size_t cli_put_line(FILE *out, const char *text, size_t len, size_t columns);

/* Many lines: newlines and tabs stay as they are, a CR before a newline is dropped, the rest is escaped. */
void cli_put_block(FILE *out, const char *text, size_t len);

#endif
