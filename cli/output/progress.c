/* SPDX-License-Identifier: MIT */
#include "cli/output/progress.h"

#include "cli/output/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { BETWEEN_US = 100000 };

static int64_t shown_us;

void cli_progress(void *what, uint64_t done, uint64_t total)
{
  char a[CLI_UNIT_SIZE], b[CLI_UNIT_SIZE];
  int64_t now = cli_now_us();
  if (!isatty(STDERR_FILENO) || (shown_us && now - shown_us < BETWEEN_US))
    return;
  shown_us = now;
  unsigned percent = total ? (unsigned)((double)done * 100 / (double)total) : 0;
  fprintf(stderr, "\r%s: %s of %s (%u%%)\033[K", (const char *)what, cli_count(a, done), cli_count(b, total),
          percent > 100 ? 100 : percent);
}

void cli_progress_end(void)
{
  if (shown_us)
    fputs("\r\033[K", stderr);
  shown_us = 0;
}
