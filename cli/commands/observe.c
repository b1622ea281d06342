/* SPDX-License-Identifier: MIT */
#include "cli/commands/observe.h"

#include "cli/launch/find_store.h"
#include "cli/launch/launch.h"
#include "cli/output/output.h"

#include <inttypes.h>
#include <stdlib.h>

static struct idem_stats before;

bool cli_observes(void)
{
  struct idem_config config;
  if (idem_config_load(&config, getenv, NULL) < 0)
    return false;
  bool observes = config.mode == IDEM_MODE_OBSERVE;
  idem_config_release(&config);
  return observes;
}

/* Zeros where there is no store yet. */
static void look(struct idem_stats *stats)
{
  struct idem_config config;
  struct idem_store *store;
  struct idem_error error = {""};
  *stats = (struct idem_stats){.capacity = 0};
  if (idem_config_load_store(&config, getenv, NULL) < 0)
    return;
  if (cli_open_store(&config, &store, &error) == 0) {
    idem_store_stats(store, stats, &error);
    idem_store_close(store);
  }
  idem_config_release(&config);
}

/* Each process has said what it would have got; that none would have got anything, nobody has. */
static int tell(int code)
{
  struct idem_stats now;
  look(&now);
  uint64_t calls = now.counter[IDEM_COUNTER_calls] - before.counter[IDEM_COUNTER_calls];
  if (calls && now.counter[IDEM_COUNTER_would_hit] == before.counter[IDEM_COUNTER_would_hit])
    cli_fail(code, "observe: 0 of %" PRIu64 " calls would have been answered from the store", calls);
  return code;
}

int cli_observe_run(char **argv)
{
  look(&before);
  return cli_launch_and_wait(argv, NULL, tell);
}
