/* SPDX-License-Identifier: MIT */
/* A library whose loading never ends: the loader's lock is taken until the program has ended. It says so
 * first, to the descriptor LOADING. */
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void load(void)
{
  if (write(atoi(getenv("LOADING")), "", 1) == 1)
    for (;;)
      pause();
}
