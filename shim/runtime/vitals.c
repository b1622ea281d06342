/* SPDX-License-Identifier: MIT */
#include "shim/runtime/vitals.h"

#include <string.h>
#include <unistd.h>

_Static_assert(IDEM_VITALS_SHARDS == 8, "a shard is three bits of a hash");

struct idem_vitals vitals = {
    .magic = IDEM_VITALS_MAGIC,
    .version = IDEM_VERSION,
    .size = sizeof(vitals),
    .config_size = sizeof(struct idem_config),
};
/* Its address alone is used, which tells threads apart without a call. */
__thread char vitals_thread;

/* Counts the calls of this process that matched, since it began or was forked. */
uint64_t vitals_matched(void)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < IDEM_VITALS_SHARDS; i++)
    sum += atomic_load(&vitals.shard[i].matched);
  return sum;
}

void vitals_after_fork(void)
{
  atomic_store(&vitals.unmatched, 0);
  for (size_t i = 0; i < IDEM_VITALS_HOSTS; i++)
    atomic_store(&vitals.host[i].state, IDEM_VITALS_HOST_FREE);
  atomic_store(&vitals.sent, 0);
  atomic_store(&vitals.passed, 0);
  for (size_t i = 0; i < IDEM_VITALS_SHARDS; i++)
    atomic_store(&vitals.shard[i].matched, 0);
}

/* The state comes last: who reads that finds the directory and the user of the same try. */
void vitals_note_store(const char *dir, bool is_open)
{
  strncpy(vitals.store_dir, dir, sizeof(vitals.store_dir) - 1);
  atomic_store(&vitals.store_uid, geteuid());
  atomic_store(&vitals.store, is_open ? IDEM_VITALS_STORE_OPEN : IDEM_VITALS_STORE_FAILED);
}

/* The last byte stays NUL, so that what is read in the middle of it has an end. */
static void note_first(atomic_flag *noted, char *into, size_t size, const char *text)
{
  if (!atomic_flag_test_and_set(noted))
    memcpy(into, text, strnlen(text, size - 1));
}

void vitals_note_passed(const char *reason)
{
  static atomic_flag noted = ATOMIC_FLAG_INIT;
  note_first(&noted, vitals.why_passed, sizeof(vitals.why_passed), reason);
}

void vitals_note_problem(const char *text)
{
  static atomic_flag noted = ATOMIC_FLAG_INIT;
  note_first(&noted, vitals.problem, sizeof(vitals.problem), text);
}
