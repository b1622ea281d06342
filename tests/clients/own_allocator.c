/* SPDX-License-Identifier: MIT */
/*
 * own_allocator URL BODY [TIMES]
 *
 * That many POSTs, in a program that has its own malloc(), calloc(), realloc(), free() and what gives aligned
 * memory, as one that is linked with jemalloc has. It ends with 99 where it is to free or to grow what
 * another allocator has made.
 */
#include "tests/clients/post.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#define OURS UINT64_C(0x6f75722062797465)

struct block {
  _Alignas(max_align_t) uint64_t whose;
  size_t size;
};

#define EXPORTED __attribute__((visibility("default")))

static struct block *block_of(void *memory)
{
  static const char words[] = "own_allocator: this memory is not mine\n";
  struct block *block = (struct block *)memory - 1;

  if (block->whose != OURS) {
    if (write(2, words, sizeof(words) - 1) < 0)
      _exit(98);
    _exit(99);
  }
  return block;
}

/* Nothing is used again, so all of it is zero. `align` is a power of two; each block stands
 * right before its memory. */
static void *take_aligned(size_t size, size_t align)
{
  enum { ARENA = 1 << 30 };
  static _Atomic(char *) arena;
  static _Atomic size_t used;
  char *first = atomic_load(&arena), *none = NULL;

  if (!first) {
    first = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (first == MAP_FAILED)
      return NULL;
    if (!atomic_compare_exchange_strong(&arena, &none, first)) {
      munmap(first, ARENA);
      first = none;
    }
  }
  size_t more = align > sizeof(struct block) ? align : 0;
  size_t whole =
      (sizeof(struct block) + more + size + sizeof(struct block) - 1) & ~(sizeof(struct block) - 1);
  size_t at = size < ARENA ? atomic_fetch_add(&used, whole) : ARENA;
  if (at + whole > ARENA)
    return NULL;
  size_t from = more ? (at + sizeof(struct block) + align - 1) / align * align : at + sizeof(struct block);
  struct block *block = (struct block *)(first + from) - 1;
  *block = (struct block){OURS, size};
  return block + 1;
}

static void *take(size_t size)
{
  return take_aligned(size, 1);
}

EXPORTED void *malloc(size_t size)
{
  return take(size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
  size_t whole;
  return __builtin_mul_overflow(count, size, &whole) ? NULL : take(whole);
}

EXPORTED void *realloc(void *memory, size_t size)
{
  size_t had = memory ? block_of(memory)->size : 0;
  void *grown = take(size);

  return grown && had ? memcpy(grown, memory, had < size ? had : size) : grown;
}

EXPORTED void *aligned_alloc(size_t align, size_t size)
{
  return take_aligned(size, align);
}

EXPORTED void *memalign(size_t align, size_t size)
{
  return take_aligned(size, align);
}

EXPORTED int posix_memalign(void **memory, size_t align, size_t size)
{
  *memory = take_aligned(size, align);
  return *memory ? 0 : ENOMEM;
}

EXPORTED void free(void *memory)
{
  if (memory)
    block_of(memory);
}

int main(int argc, char **argv)
{
  int status = 0;

  if (argc < 3) {
    fprintf(stderr, "usage: own_allocator URL BODY [TIMES]\n");
    return 2;
  }
  for (long left = argc > 3 ? atol(argv[3]) : 1; left > 0; left--)
    status |= post_once("own_allocator", argv[1], argv[2]);
  return status;
}
