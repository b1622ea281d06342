/* SPDX-License-Identifier: MIT */
/*
 * The program behind a command, and whether a preload can work in it at all: the file is found as execvp(3)
 * would find it, through scripts and env(1), and its rights and its kind are looked at. Nothing is run.
 *
 *     char reason[256];
 *     if (cli_program_problem("sudo", reason, sizeof(reason)))
 *       cli_warn("sudo %s", reason);                    "sudo is setuid, and cannot be given a preload"
 *
 * What cannot be found or read is no problem here: execvp() says it better.
 */
#ifndef IDEMSHIM_CLI_PROGRAM_H
#define IDEMSHIM_CLI_PROGRAM_H

#include "cli/elf/elf.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* What was found. Paths are as they would be opened, not resolved. */
struct cli_program {
  char path[PATH_MAX];   /* the ELF file that runs in the end */
  char script[PATH_MAX]; /* the file that was asked for, where that is a script; else "" */
  bool clears;           /* the script has its interpreter started without environment (env -i) */
};

/* Finds `name` as execvp(3) does; for a script its interpreter, through env(1) too. Returns 0; -errno of the
 * file that is missing or cannot be read, whose name is then in `path`; -ENOEXEC for what is neither. */
int cli_program_find(const char *name, struct cli_program *out);

/* Why the dynamic linker would not load a preload: "is setuid", "is linked statically"; NULL if it will. */
const char *cli_program_privilege(int fd);
const char *cli_program_linkage(const struct cli_elf *elf);

/* True with the reason as a sentence ("is linked statically ...") if the program that `name` would run will
 * not have a preload; false if it will, or if nothing can be said. */
bool cli_program_problem(const char *name, char *reason, size_t size);

#endif
