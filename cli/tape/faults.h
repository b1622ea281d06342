/* SPDX-License-Identifier: MIT */
/*
 * What if: a tape on which some exchanges ended otherwise, for a program that nobody can change.
 *
 *     429@3      exchange 3 was answered with that status
 *     reset      the connection was reset before an answer
 *     cut@0.5    the answer broke off after half of its body
 *     stall:30s  nothing came for so long, and it timed out
 *
 * @N behind it is an exchange of the tape; without it, a fault is that of every exchange that has none of its
 * own.
 *
 *     char *copy;
 *     int code = cli_faults_make("429@3,cut@0.5", tape, key_file, &copy);  the caller removes and frees it
 */
#ifndef IDEMSHIM_CLI_FAULTS_H
#define IDEMSHIM_CLI_FAULTS_H

#include "tape/tape.h"

/* Writes the copy into a directory of its own, as secret as the tape. Returns CLI_OK, or has
 * said what is wrong and returns the code to exit with. */
int cli_faults_make(const char *faults, const struct tape *tape, const char *key_file, char **copy);

#endif
