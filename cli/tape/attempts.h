/* SPDX-License-Identifier: MIT */
/*
 * Which failures of a run a later attempt made good: what is left is what the program did not get.
 *
 *     uint64_t *good;
 *     if (cli_attempts_read(tape, &good) == CLI_OK && good[number - 1])
 *       printf("made good by %" PRIu64, good[number - 1]);
 *     free(good);
 */
#ifndef IDEMSHIM_CLI_TAPE_ATTEMPTS_H
#define IDEMSHIM_CLI_TAPE_ATTEMPTS_H

#include "tape/tape.h"

/* For each exchange the number of the one that made it good, the first success of its operation behind it; 0:
 * it did not fail, or none did. What cannot be read has 0. Returns an enum cli_exit. The caller frees it. */
int cli_attempts_read(const struct tape *tape, uint64_t **good);

#endif
