/* SPDX-License-Identifier: MIT */
/*
 * pointer_map_threads ROUNDS
 *
 * Four threads add, find and take out entries of one shim/base/pointer_map, which this is linked with: each
 * has keys of its own, side by side with those of the others, and must always find what it has put in, and
 * nothing else. Prints how often it did not.
 */
#include "shim/base/pointer_map.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, KEYS = 3000, STRIDE = 5568 }; /* the stride of easy handles */

struct thing {
  struct pointer_entry entry;
  unsigned owner;
};

static struct pointer_map things = POINTER_MAP(struct thing);
static long rounds;
static _Atomic long mistakes;

static void *work(void *arg)
{
  unsigned me = (unsigned)(uintptr_t)arg, seed = me;
  struct thing **mine = calloc(KEYS, sizeof(struct thing *));

  for (long round = 0; round < rounds; round++) {
    unsigned i = (unsigned)rand_r(&seed) % KEYS;
    const void *key = (const void *)((uintptr_t)(i * THREADS + me) * STRIDE);

    mistakes += pointer_map_find(&things, key) != mine[i] || (mine[i] && mine[i]->owner != me);
    if (mine[i] && rand_r(&seed) % 2) {
      pointer_map_give(&things, &mine[i]->entry);
      mine[i] = NULL;
    } else if (!mine[i] && (mine[i] = pointer_map_take(&things))) {
      mine[i]->owner = me;
      mistakes += !pointer_map_add(&things, &mine[i]->entry, key);
    }
  }
  free(mine);
  return NULL;
}

int main(int argc, char **argv)
{
  pthread_t threads[THREADS];

  rounds = argc == 2 ? atol(argv[1]) : 0;
  for (unsigned i = 0; i < THREADS; i++)
    pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1));
  for (unsigned i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  printf("%ld mistakes, %u entries\n", mistakes, pointer_map_count(&things));
  return mistakes || !rounds;
}
