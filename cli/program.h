/* SPDX-License-Identifier: MIT */
/*
 * Can a preload work in this program at all?
 */
#ifndef IDEMSHIM_CLI_PROGRAM_H
#define IDEMSHIM_CLI_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* Looks at the file that `name` would run, found as execvp(3) finds it; for a script, at its interpreter.
 * Returns true with the reason ("is linked statically ...") if the dynamic linker will not load a preload
 * into it; false if it will, or if nothing can be said. */
bool cli_program_problem(const char *name, char *reason, size_t size);

#endif
