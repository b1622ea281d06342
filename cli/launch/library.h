/* SPDX-License-Identifier: MIT */
/*
 * Where libidemshim.so is, and how a program gets it.
 */
#ifndef IDEMSHIM_CLI_LIBRARY_H
#define IDEMSHIM_CLI_LIBRARY_H

/* The absolute path of the library, found as told below, for the caller to free; NULL if it is nowhere. */
char *cli_find_library(void);

/* Finds the library beside this command, in ../lib or in ../lib/idemshim, and puts it before whatever
 * LD_PRELOAD names already. Returns CLI_OK, or has said what is missing and returns CLI_USAGE. */
int cli_preload_library(void);

#endif
