/* SPDX-License-Identifier: MIT */
#include "store/state/state.h"

#define EXPORTED __attribute__((visibility("default")))

/* All that the object exports (exports.ver). The front compares version and size before it calls any of it,
 * so that files of two versions in one directory are an error in words and no crash. Its fork handlers take
 * our locks by the four entries that come first. */
EXPORTED const struct idem_store_api idem_store_api = {
    .version = IDEM_STORE_API_VERSION,
    .size = sizeof(struct idem_store_api),
    .host_forks = process_host_forks,
    .lock_for_fork = process_lock_all,
    .unlock_after_fork = process_unlock_all,
    .unlock_in_child = process_unlock_in_child,
    .open = idem_store_open,
    .close = idem_store_close,
    .give_back = idem_store_give_back,
    .enter = idem_store_enter,
    .commit = idem_store_commit,
    .committed = idem_store_committed,
    .rest = idem_store_rest,
    .leave = idem_store_leave,
    .wait = idem_store_wait,
    .sign = idem_store_sign,
    .stalled = idem_store_stalled,
    .unpin = idem_store_unpin,
    .observe = idem_store_observe,
    .count = idem_store_count,
    .note = idem_store_note,
    .spend = idem_store_spend,
    .tally = idem_store_tally,
    .sent = idem_store_sent,
    .part = idem_store_part,
    .parted = idem_store_parted,
    .is_followed = idem_store_is_followed,
    .is_stream = idem_store_is_stream,
    .spool = idem_store_spool,
    .look = idem_store_look,
    .spool_release = idem_spool_release,
    .judge_new = idem_judge_new,
    .judge_feed = idem_judge_feed,
    .judge_free = idem_judge_free,
    .usage_zero = idem_usage_zero,
};

void idem_store_count(struct idem_store *store, enum idem_counter counter, uint64_t n)
{
  if ((unsigned)counter < IDEM_COUNTER_COUNT)
    stats_add(store->stats, stats_shard(), counter, n);
}

void idem_store_note(struct idem_store *store, const struct idem_decision *decision)
{
  struct idem_decision kept = *decision;
  if (store->sealed)
    kept.method[0] = kept.origin[0] = kept.path[0] = kept.reason[0] = '\0';
  decisions_add(&store->stats->decisions, &kept);
}

int idem_store_decisions(struct idem_store *store,
                         int (*visit)(void *arg, const struct idem_decision *decision), void *arg)
{
  return decisions_each(&store->stats->decisions, visit, arg);
}

const char *idem_store_spend(struct idem_store *store, uint64_t run, const struct idem_budget *budget)
{
  return stats_spend(store->stats, run, budget);
}

uint64_t idem_store_tally(struct idem_store *store, uint64_t run)
{
  return stats_tally(store->stats, run);
}
