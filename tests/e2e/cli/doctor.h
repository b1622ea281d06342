/* SPDX-License-Identifier: MIT */
/* What tests of the doctor share (doctor.c).
 *
 *     struct run r = run_plain(&w, "idemshim", "doctor", doctor_compile("program", "-lcurl", "int main() ..."),
 *                              NULL);
 *     doctor_expect(&r, 0, "covered", "+ calls libcurl ");
 */
#ifndef E2E_DOCTOR_H
#define E2E_DOCTOR_H

#include "tests/harness/harness.h"

/* A library or program from a few lines of C, below the test's directory; the flags
 * come before the source. */
const char *doctor_compile(const char *name, const char *flags, const char *source);

/* The exit code, "NAME: VERDICT" and a piece of the text; releases the run. */
void doctor_expect(struct run *r, int status, const char *verdict, const char *reason);

#endif
