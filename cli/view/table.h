/* SPDX-License-Identifier: MIT */
/*
 * One line for each answer: columns that line up without anybody having seen all of them before.
 */
#ifndef IDEMSHIM_CLI_ROW_H
#define IDEMSHIM_CLI_ROW_H

#include "store/store.h"

#include <stdio.h>

/* `columns` is what cli_columns() says. On a narrow terminal some columns are left out; what a row has in the
 * end, the call and its prompt, is cut to what is left of the line. */
void cli_row_heading(FILE *out, size_t columns);

/* Without a newline. */
void cli_row(FILE *out, const struct idem_answer *answer, int64_t now_us, size_t columns);

#endif
