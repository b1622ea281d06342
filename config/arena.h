/* SPDX-License-Identifier: MIT */
/*
 * Memory that lives and dies with one config: many small pieces, one release, so that no path out has to know
 * what was allocated before it.
 *
 *     struct idem_arena arena = {0};
 *     char *copy = idem_arena_copy(&arena, text, len);         NULL: no memory
 *     ...
 *     idem_arena_release(&arena);                              everything at once
 *
 * Nothing is given back before that. One thread at a time.
 */
#ifndef IDEMSHIM_ARENA_H
#define IDEMSHIM_ARENA_H

#include <stddef.h>

struct idem_block;

/* Zero is an empty one. */
struct idem_arena {
  struct idem_block *blocks; /* newest first */
};

/* Zeroed, aligned for any object. */
void *idem_arena_alloc(struct idem_arena *arena, size_t size);

/* A copy of `len` bytes with a NUL after them. */
char *idem_arena_copy(struct idem_arena *arena, const char *data, size_t len);

void idem_arena_release(struct idem_arena *arena);

#endif
