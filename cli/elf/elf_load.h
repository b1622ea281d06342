/* SPDX-License-Identifier: MIT */
/*
 * The objects that a program would have in memory after its start, found as ld.so(8) finds them, without
 * running it.
 *
 *     struct cli_objects objects = {0};
 *     cli_objects_add(&objects, "/usr/bin/curl");
 *     cli_objects_follow(&objects);
 *     ...
 *     cli_objects_release(&objects);
 */
#ifndef IDEMSHIM_CLI_ELF_LOAD_H
#define IDEMSHIM_CLI_ELF_LOAD_H

#include "cli/elf/elf.h"

/* One file that would be in memory. */
struct cli_object {
  char *path;
  const char *name; /* the part of `path` after the last slash */
  char *asked;      /* the name it was asked for by; NULL for those that were added */
  size_t needed_by; /* index of the first object that needs it; its own for those that were added */
  struct cli_elf elf;
};

/* All of them. Start with {0}, end with cli_objects_release(). */
struct cli_objects {
  struct cli_object *list; /* in the order of a breadth-first search, as the dynamic linker's */
  size_t count;
  char *missing; /* the first library that is needed and nowhere; NULL if there is none */
};

/* Adds one file. Returns 0, or a -errno as cli_elf_open() does. */
int cli_objects_add(struct cli_objects *objects, const char *path);

/* Adds what those that are there need, and what these need in turn. */
void cli_objects_follow(struct cli_objects *objects);

void cli_objects_release(struct cli_objects *objects);

/* The n-th path that /etc/ld.so.cache lists for a library's name, into `out`; returns `out`, or NULL for no
 * more. Libraries of other machines may be among them. The file is read once and kept; one of another format,
 * or none, has no entries. */
const char *cli_elf_cache(const char *name, size_t n, char *out, size_t size);

#endif
