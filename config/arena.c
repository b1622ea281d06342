/* SPDX-License-Identifier: MIT */
/* Blocks of 8 KiB in a list; a piece comes from the newest one, and what is larger gets a block
 * of its own. What is left at a block's end is lost, which a config can afford. */
#include "config/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The strings of an average config fit into one. */
#define BLOCK_SIZE ((size_t)8192)

/* The pieces lie behind the head, aligned for any object. */
struct idem_block {
  struct idem_block *next;
  size_t used, size;
  alignas(max_align_t) char data[];
};

/* NULL without memory, and the arena is as it was. */
static struct idem_block *new_block(struct idem_arena *arena, size_t size)
{
  if (size > SIZE_MAX - sizeof(struct idem_block))
    return NULL;
  struct idem_block *block = malloc(sizeof *block + size);
  if (!block)
    return NULL;
  *block = (struct idem_block){.next = arena->blocks, .size = size};
  arena->blocks = block;
  return block;
}

/* Zeroed, so that a struct of it is in a known state before it is filled. */
void *idem_arena_alloc(struct idem_arena *arena, size_t size)
{
  const size_t align = alignof(max_align_t);
  struct idem_block *block = arena->blocks;

  if (size > SIZE_MAX - align)
    return NULL;
  /* So that the next piece is aligned, too. */
  size = (size + align - 1) / align * align;
  if (!block || block->size - block->used < size)
    block = new_block(arena, size > BLOCK_SIZE ? size : BLOCK_SIZE);
  if (!block)
    return NULL;
  void *piece = block->data + block->used;
  block->used += size;
  return memset(piece, 0, size);
}

/* The NUL is for printf and libc; the text itself may hold one. */
char *idem_arena_copy(struct idem_arena *arena, const char *data, size_t len)
{
  char *copy = len < SIZE_MAX ? idem_arena_alloc(arena, len + 1) : NULL;

  return copy && len ? memcpy(copy, data, len) : copy;
}

/* The arena is empty then, and may be used again. */
void idem_arena_release(struct idem_arena *arena)
{
  while (arena->blocks) {
    struct idem_block *block = arena->blocks;
    arena->blocks = block->next;
    free(block);
  }
}
