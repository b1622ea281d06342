/* SPDX-License-Identifier: MIT */
/*
 * A progress line on standard error for work that takes long: "verify: 1,200 of 5,000 (24%)". Nothing is
 * printed where standard error is no terminal.
 */
#ifndef IDEMSHIM_CLI_PROGRESS_H
#define IDEMSHIM_CLI_PROGRESS_H

#include <stdint.h>

/* Fits the store's callbacks; `what` is the word for what is being done, a const char *. */
void cli_progress(void *what, uint64_t done, uint64_t total);

/* Takes the line away, before anything else is printed. */
void cli_progress_end(void);

#endif
