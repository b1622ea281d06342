/* SPDX-License-Identifier: MIT */
/* The header lines that say an answer was replayed (mark=). */
#ifndef IDEMSHIM_SHIM_MARKS_H
#define IDEMSHIM_SHIM_MARKS_H

#include "shim/request/request.h"

#define MARKS_SIZE 192

/* Writes them for `request->op.answer`, each with its CRLF; "" if the rule or the answer has none. */
void marks_build(const struct request *request, char marks[MARKS_SIZE]);

#endif
